/* SPDX-License-Identifier: Apache-2.0 */
/* The slides: pictures, targets, predictions, filters and sorting; and which to outline next. */
import * as api from './api.js';
import {cohort, hear, suggestions, wish} from './cohort.js';
import {choice, element, number, taken} from './dom.js';

const view = {text: '', label: '', split: '', outlined: '', mistakes: false, order: '', focus: 0};
const most = (slide, member) => Math.max(...Object.values(slide.said).map((said) => said[member] ?? -Infinity), -Infinity);
const descending = (a, b, member) => most(b, member) === most(a, member) ? 0 : most(b, member) - most(a, member);
const byName = (a, b) => a.id.localeCompare(b.id, undefined, {numeric: true});
const has = (member) => cohort.slides.some((slide) => slide[member] !== undefined && slide[member] !== '');

/* The orders that this cohort supports; the first is the default. */
function orders() {
    const {kind} = cohort.task, said = cohort.methods.length > 0;
    return [
        said && kind === 'classes' && ['wrong', 'worst mistakes first', (a, b) => descending(a, b, 'wrong')],
        said && kind === 'number' && ['wrong', 'largest errors first', (a, b) => descending(a, b, 'wrong')],
        said && kind !== 'classes' && ['answer', kind === 'survival' ? 'highest risk first' : 'largest first', (a, b) => descending(a, b, 'answer')],
        ['id', 'by name', () => 0],
        has('label') && ['label', 'by label', (a, b) => String(a.label ?? '').localeCompare(String(b.label ?? ''))],
        has('split') && ['split', 'by set', (a, b) => a.split.localeCompare(b.split)],
        ['outlined', 'not outlined first', (a, b) => a.outlined.localeCompare(b.outlined)],
        ['problem', 'problems first', (a, b) => Boolean(b.problem) - Boolean(a.problem)],
    ].filter(Boolean);
}

function chosen() {
    const all = orders(), [, , compare] = all.find(([name]) => name === view.order) || all[0];
    return cohort.slides
        .filter((slide) => slide.id.toLowerCase().includes(view.text.toLowerCase()))
        .filter((slide) => !view.label || String(slide.label ?? '') === view.label)
        .filter((slide) => !view.split || slide.split === view.split)
        .filter((slide) => !view.outlined || (slide.outlined || 'no') === view.outlined)
        .filter((slide) => !view.mistakes || most(slide, 'wrong') > 0.5)
        .sort((a, b) => compare(a, b) || byName(a, b));
}

/* Ids in the order of the list, for moving from slide to slide; all ids if the list does not include this one. */
export function listed(id) {
    const ids = chosen().map((slide) => slide.id);
    return ids.includes(id) ? ids : cohort.slides.map((slide) => slide.id);
}

/* The target: the class, the time and whether there was an event, or the number. */
export function truth(slide) {
    const {kind, classes} = cohort.task;
    if (kind === 'classes') return slide.label === undefined ? null : element('span.chip', {class: slide.lesion ? 'positive' : 'negative'}, classes[slide.class] ?? slide.label);
    if (kind === 'survival') return slide.time === undefined ? null : element('span.chip', {title: slide.event ? 'time of the event' : 'follow-up without the event'}, slide.event ? `event at ${slide.time}` : `no event by ${slide.time}`);
    return slide.value === undefined ? null : element('span.chip', {title: 'the true number'}, String(slide.value));
}

/* A method's prediction: for classes a bar, red if the true class has the smaller part. */
export function said(slide, method) {
    const one = slide.said[method.name];
    if (!one) return null;
    const {kind, classes} = cohort.task, tested = one.tested ? ', by models that have not seen it' : '';
    if (kind !== 'classes') {
        const words = (kind === 'survival' ? 'risk ' : '') + number(one.answer);
        return element('.said', {title: `${method.title}: ${words}${tested}`}, element('span', {}, method.title), element('b', {}, words));
    }
    const best = one.values.indexOf(Math.max(...one.values)), wrong = one.wrong > 0.5;
    const shown = classes.length === 2 ? one.values[1] : one.values[best];
    const words = classes.length === 2 ? number(shown) : `${classes[best]} ${number(shown)}`;
    return element('.said', {title: `${method.title}: ` + classes.map((name, c) => `${name} ${number(one.values[c])}`).join(', ') + tested, class: wrong ? 'wrong' : ''},
        element('span', {}, method.title), element('b', {}, wrong ? '✗ ' : '', words),
        element('meter', {min: 0, max: 1, value: shown, 'aria-label': `${method.title}: ${words}`}));
}

function card(slide, index) {
    const marks = [
        truth(slide),
        slide.split ? element('span.chip.set', {}, slide.split) : null,
        slide.outlined === 'outlined' ? element('span.chip.outlined', {title: 'it has outlines'}, 'outlined') : null,
        slide.outlined === 'nothing' ? element('span.chip.outlined', {title: 'someone looked: nothing here'}, 'nothing here') : null,
    ];
    return element('a.card', {href: '#slide/' + encodeURIComponent(slide.id), 'data-index': index, 'data-id': slide.id, title: slide.problem},
        element('.thumbnail', {}, slide.slide ? element('img', {src: api.thumbnail(slide.id), loading: 'lazy', alt: ''}) : element('span.hint', {}, 'features alone')),
        element('.name', {}, slide.id), element('.marks', {}, marks), slide.problem ? element('.problem', {}, slide.problem) : null,
        cohort.methods.map((method) => said(slide, method)));
}

async function suggest(where) {
    const list = await suggestions();
    if (!list.length) return where.replaceChildren();
    const order = element('select', {'aria-label': 'order of Outline next', onchange: () => { wish.order = order.value; suggest(where); }},
        element('option', {value: 'drawn'}, 'in random order'), element('option', {value: 'mistakes'}, 'worst mistakes first'));
    order.value = wish.order;
    where.replaceChildren(element('h2', {}, 'Outline next'),
        element('p.hint', {}, order, ' In simulations, no order based on the models was reliably better than a random one.'),
        element('ol', {}, list.slice(0, 5).map((one) => element('li', {}, element('a', {href: one.address},
            one.side ? element('img', {src: api.patch(one.id, one.x, one.y, one.side), alt: ''}) : null,
            element('span', {}, element('b', {}, one.id), ' ', one.reason))))));
}

/* before: the id of the slide that the user comes from, or null. */
export function showTable(main, before) {
    const showAgain = () => {
        leave();
        leave = showTable(main, null);
    };
    const grid = element('.grid'), count = element('span.hint'), next = element('section.next');
    const values = (member) => [...new Set(cohort.slides.map((slide) => String(slide[member] ?? '')))].filter(Boolean).sort();
    const search = element('input', {type: 'search', placeholder: 'name …  ( / )', 'aria-label': 'name', value: view.text, oninput: () => set('text', search.value)});
    const set = (name, value) => {
        view[name] = value;
        draw();
    };
    const mistakes = element('input', {type: 'checkbox', checked: view.mistakes, onchange: () => set('mistakes', mistakes.checked)});
    const classes = cohort.task.kind === 'classes', sets = values('split'), labels = values('label');
    const filters = element('.filters', {}, search,
        labels.length > 1 && classes ? choice('label', [['', 'every label'], ...labels.map((v) => [v, v])], view.label, (v) => set('label', v)) : null,
        sets.length > 1 ? choice('set', [['', 'every set'], ...sets.map((v) => [v, v])], view.split, (v) => set('split', v)) : null,
        choice('outlines', [['', 'outlined or not'], ['outlined', 'outlined'], ['nothing', 'nothing here'], ['no', 'not outlined']], view.outlined, (v) => set('outlined', v)),
        cohort.methods.length && classes ? element('label', {}, mistakes, 'mistakes') : null,
        choice('order', orders().map(([name, text]) => [name, text]), view.order || orders()[0][0], (v) => set('order', v)), count);

    function focus(index) {
        const cards = grid.children;
        view.focus = Math.max(0, Math.min(index, cards.length - 1));
        if (cards[view.focus]) cards[view.focus].focus();
    }
    function draw() {
        const slides = chosen(), held = grid.contains(document.activeElement) ? slides.findIndex((slide) => slide.id === document.activeElement.dataset.id) : -1;
        grid.replaceChildren(...slides.map(card));
        if (held >= 0) focus(held);
        if (!slides.length) grid.append(element('p.hint', {}, 'No slide matches. ', element('button', {onclick: () => {
            Object.assign(view, {text: '', label: '', split: '', outlined: '', mistakes: false});
            showAgain();
        }}, 'Show all')));
        count.textContent = `${slides.length} of ${cohort.slides.length} slides`;
    }
    function key(event) {
        if (taken(event)) {
            if (event.key === 'Escape' && event.target === search) search.blur();
            if (event.key === 'Enter' && event.target === search) focus(0);
            return;
        }
        const held = document.activeElement.closest('.card');
        if (held) view.focus = Number(held.dataset.index);
        const across = Math.max(1, Math.floor(grid.clientWidth / (grid.firstChild ? grid.firstChild.offsetWidth + 12 : 1)));
        const steps = {ArrowRight: 1, ArrowLeft: -1, ArrowDown: across, ArrowUp: -across};
        if (event.key in steps) focus(held ? view.focus + steps[event.key] : view.focus);
        else if (event.key === '/') search.focus();
        else return;
        event.preventDefault();
    }
    main.className = 'table';
    main.replaceChildren(next, filters, grid);
    draw();
    const at = chosen().findIndex((slide) => slide.id === before);
    if (at >= 0) focus(at); /* where the user left it */
    suggest(next);
    document.addEventListener('keydown', key);
    const ends = [hear('overview', draw), hear('kept', () => suggest(next))];
    let leave = () => {
        document.removeEventListener('keydown', key);
        for (const end of ends) end();
    };
    return () => leave();
}
