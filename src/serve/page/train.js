/* SPDX-License-Identifier: Apache-2.0 */
/* The loop on the slide's page: one button, how it goes, what it changed. */
import * as api from './api.js';
import {cohort, hear, hurry} from './cohort.js';
import {choice, element, number, say} from './dom.js';

const chosen = {method: '', live: null};

/* "0.912 → 0.934" */
const change = (before, after, digits = 3) => `${number(before, digits)} → ${number(after, digits)}`;

function outcome(result, id) {
    const {slide} = result, rows = [[`${result.measure} (validation)`, result.after === undefined ? '…' : change(result.before, result.after)]];
    if (slide && slide.id === id) {
        rows.push(['says of this slide', change(slide.before.said, slide.after.said)]);
        rows.push(['annotated patches', String(slide.patches)]);
        if (slide.after.inside !== null && slide.after.inside !== undefined)
            rows.push(['attention inside', change(100 * slide.before.inside, 100 * slide.after.inside, 0) + ' %']);
    }
    return element('table.outcome', {}, rows.map(([name, value]) => element('tr', {}, element('th', {}, name), element('td', {}, value))));
}

const phases = {loading: 'reading features …', quick: 'training …', exact: 'exact training in the background'};

export function trainPanel(page) {
    const box = element('section.train');
    if (!cohort.trains) return {box, remove() {}, saved() {}, ask() {}};
    if (chosen.live === null) chosen.live = cohort.live;
    const reference = cohort.methods.find((method) => /^rank(-|$)/.test(method.name)) || cohort.methods[0];
    if (!chosen.method && reference) chosen.method = reference.name;
    const button = element('button.main', {title: 'Enter', onclick: () => ask()}, 'Retrain');
    const live = element('input', {type: 'checkbox', checked: chosen.live, onchange: () => chosen.live = live.checked});
    const state = element('p.state', {'aria-live': 'polite'}), bar = element('progress', {max: 1, value: 0}), result = element('div');

    async function ask() {
        try {
            await api.retrain(page.info.id, chosen.method);
            hurry();
        } catch (error) {
            say(error.message, 'bad');
        }
    }
    async function undo() {
        try {
            const saved = page.outlines.undo();
            if (saved) await saved;
            await api.undoTraining();
            hurry();
        } catch (error) {
            say(error.message, 'bad');
        }
    }
    function show() {
        const {loop} = cohort;
        if (!loop) return;
        box.dataset.phase = loop.phase;
        const words = loop.phase === 'idle' ? loop.exactPending ? 'exact training waits' : '' : phases[loop.phase];
        state.replaceChildren(words, loop.phase === 'exact' && loop.note ? element('span.hint', {title: loop.note}, ' ', loop.note.slice(0, 60)) : '',
            loop.error ? element('span.bad', {}, loop.error) : '');
        bar.hidden = loop.phase === 'idle';
        if (loop.phase === 'quick' && loop.total) bar.value = loop.done / loop.total;
        else bar.removeAttribute('value');
        if (loop.result) {
            box.dataset.serial = loop.result.serial;
            result.replaceChildren(element('p', {}, `${loop.result.title}: ${number(loop.result.seconds, 1)} s, ${loop.result.epochs} epochs`), outcome(loop.result, page.info.id),
                loop.undo ? element('button', {title: 'the model before, and the outlines before', onclick: undo}, 'Undo') : '');
        } else {
            result.replaceChildren();
        }
    }
    box.append(element('h2', {}, 'Train'), choice('method', cohort.methods.map((method) => [method.name, method.title]), chosen.method, (name) => chosen.method = name),
        element('p', {}, button, element('label', {}, live, 'after each change')), bar, state, result);
    show();
    const end = hear('loop', show);
    return {box, remove: end, ask, saved: () => chosen.live && ask()};
}
