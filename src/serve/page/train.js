/* SPDX-License-Identifier: Apache-2.0 */
/* The loop on the slide's page: one button, progress, and what changed. */
import * as api from './api.js';
import {cohort, find, hear, hurry} from './cohort.js';
import {choice, element, number, say} from './dom.js';

const chosen = {method: '', live: null};
const phases = {loading: 'reading features …', quick: 'training …', exact: 'exact training in the background'};

/* "0.912 → 0.934" */
const change = (before, after, digits = 3) => `${number(before, digits)} → ${number(after, digits)}`;

/* A model's prediction for the slide: "0.91"; with more than two classes "ductal 0.46". */
const answer = ({said, predicted}) => cohort.task.classes.length > 2 ? `${cohort.task.classes[predicted]} ${number(said)}` : number(said, 3);

function what() {
    const {kind, classes} = cohort.task;
    return kind === 'survival' ? 'risk of this slide' : kind === 'number' ? 'prediction for this slide' : classes.length === 2 ? `P(${classes[1]}), this slide` : 'this slide';
}

function table(caption, rows) {
    return element('table.outcome', {}, element('caption', {}, caption), rows.map(([name, value]) => element('tr', {}, element('th', {scope: 'row'}, name), element('td', {}, value))));
}

function quickOutcome(result, id) {
    const {slide} = result, rows = [[`${result.measure}, validation`, result.after === undefined ? '…' : change(result.before, result.after)]];
    if (slide && slide.id === id) {
        rows.push([what(), `${answer(slide.before)} → ${answer(slide.after)}`]);
        if (slide.after.inside !== null && slide.after.inside !== undefined)
            rows.push(['attention inside outlines', change(100 * slide.before.inside, 100 * slide.after.inside, 0) + ' %']);
        rows.push(['annotated patches', String(slide.patches)]);
    }
    return table(`Quick training of ${result.title}: ${result.epochs} epochs in ${number(result.seconds, 1)} s`, rows);
}

/* What the recorded models of every method predicted for a slide before, and what they predict now. */
function exactOutcome(before, after) {
    const {kind, classes} = cohort.task;
    const words = (one) => {
        if (!one) return '–';
        if (kind !== 'classes') return number(one.answer);
        const best = one.values.indexOf(Math.max(...one.values));
        return classes.length === 2 ? number(one.values[1], 3) : `${classes[best]} ${number(one.values[best])}`;
    };
    return table(`Exact models, kept and reported: ${what()}`, cohort.methods.map(({name, title}) => [title, `${words(before.said[name])} → ${words(after.said[name])}`]));
}

const clock = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, '0')}`;

export function trainPanel(page) {
    const box = element('section.train');
    const nothing = {box, remove() {}, saved() {}, ask() {}};
    if (!cohort.trains) return nothing;
    if (!cohort.methods.length) {
        box.append(element('h2', {}, 'Train'), element('p.hint', {}, 'No training has finished in this folder yet, so there is no model to start from.'));
        return nothing;
    }
    if (chosen.live === null) chosen.live = cohort.live;
    const reference = cohort.methods.find((method) => /^rank(-|$)/.test(method.name)) || cohort.methods[0];
    if (!cohort.methods.some((method) => method.name === chosen.method)) chosen.method = reference.name;
    const button = element('button.main', {title: 'Enter', onclick: () => ask()}, 'Retrain');
    const live = element('input', {type: 'checkbox', checked: chosen.live, disabled: cohort.live, onchange: () => chosen.live = live.checked});
    const state = element('p.state', {'aria-live': 'polite'}), bar = element('progress', {max: 1, value: 0, 'aria-label': 'training'});
    const result = element('div'), exact = element('div');
    let undoing = false;

    async function ask() {
        page.outlines.mark();
        try {
            await api.retrain(page.info.id, chosen.method);
            hurry();
        } catch (error) {
            say(error.message, 'bad');
        }
    }
    async function undo() {
        undoing = true;
        try {
            await page.outlines.undoTraining();
            await api.undoTraining();
            hurry();
        } catch (error) {
            say(error.message, 'bad');
        }
        undoing = false;
    }
    function show() {
        const {loop} = cohort;
        if (!loop) return;
        box.dataset.phase = loop.phase;
        const idle = loop.phase === 'idle', words = idle ? loop.exactPending ? 'exact training waiting' : '' : phases[loop.phase];
        state.replaceChildren(words, loop.phase === 'exact' ? element('span.hint', {title: loop.note || ''}, ` ${clock(loop.seconds)} ${loop.doing || ''}`) : '',
            loop.error ? element('span.bad', {}, loop.error) : '');
        bar.hidden = idle;
        if (loop.total) bar.value = loop.done / loop.total;
        else bar.removeAttribute('value');
        const news = loop.result && String(loop.result.serial) !== box.dataset.serial;
        box.dataset.serial = loop.result ? loop.result.serial : '';
        result.replaceChildren(...loop.result ? [quickOutcome(loop.result, page.info.id),
            loop.undo ? element('button', {title: 'go back to the previous model and the outlines that it was trained with', onclick: undo}, 'Undo this training') : ''] : []);
        if (news && box.isConnected) box.scrollIntoView({block: 'nearest'}); /* makes sure that the result is visible */
    }
    box.append(element('h2', {}, 'Train'), choice('method', cohort.methods.map((method) => [method.name, method.title]), chosen.method, (name) => chosen.method = name),
        element('p', {}, button, element('label', {title: cohort.live ? 'view was started with --live' : null}, live, 'after each change')), bar, state, result, exact);
    show();
    const ends = [hear('loop', show), hear('kept', (slides) => {
        const before = slides.find((slide) => slide.id === page.info.id), after = find(page.info.id);
        if (before && after) exact.replaceChildren(exactOutcome(before, after));
    }), hear('trained', () => exact.replaceChildren())];
    return {box, remove: () => ends.forEach((end) => end()), ask, saved: () => chosen.live && !cohort.live && !undoing && ask()};
}
