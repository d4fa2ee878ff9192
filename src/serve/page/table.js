/* SPDX-License-Identifier: Apache-2.0 */
/* The slides: pictures, what is known and said of them, filters, an order; and what to outline next. */
import * as api from './api.js';
import {cohort, hear} from './cohort.js';
import {choice, element, number, typing} from './dom.js';

const view = {text: '', label: '', split: '', outlined: '', mistakes: false, order: 'wrong', focus: 0};
const most = (slide, member) => Math.max(...Object.values(slide.said).map((said) => said[member] ?? -1), -1);

const orders = {
    wrong: ['worst mistakes first', (a, b) => most(b, 'wrong') - most(a, 'wrong')],
    id: ['name', () => 0],
    label: ['label', (a, b) => String(a.label ?? '').localeCompare(String(b.label ?? ''))],
    split: ['set', (a, b) => a.split.localeCompare(b.split)],
    outlined: ['not outlined first', (a, b) => a.outlined.localeCompare(b.outlined)],
    problem: ['problems first', (a, b) => Boolean(b.problem) - Boolean(a.problem)],
};

function chosen() {
    const byName = (a, b) => a.id.localeCompare(b.id, undefined, {numeric: true});
    return cohort.slides
        .filter((slide) => slide.id.toLowerCase().includes(view.text.toLowerCase()))
        .filter((slide) => !view.label || String(slide.label ?? '') === view.label)
        .filter((slide) => !view.split || slide.split === view.split)
        .filter((slide) => !view.outlined || (slide.outlined || 'no') === view.outlined)
        .filter((slide) => !view.mistakes || most(slide, 'wrong') > 0.5)
        .sort((a, b) => orders[view.order][1](a, b) || byName(a, b));
}

/* What a method says: of classes a bar of the true class's probability, red where it is the smaller part. */
function said(slide, method) {
    const one = slide.said[method.name];
    if (!one) return null;
    const classes = cohort.task.classes;
    if (!classes.length) return element('.said', {}, element('span', {}, method.title), element('b', {}, number(one.answer)));
    const best = one.values.indexOf(Math.max(...one.values));
    const shown = classes.length === 2 ? one.values[1] : one.values[best];
    const bar = element('meter', {min: 0, max: 1, value: shown, class: one.wrong > 0.5 ? 'wrong' : ''});
    return element('.said', {title: `${method.title}: ` + classes.map((name, c) => `${name} ${number(one.values[c])}`).join(', ') +
                                    (one.tested ? ', by models that have not seen it' : '')},
        element('span', {}, method.title), bar, element('b', {}, classes.length === 2 ? number(shown) : `${classes[best]} ${number(shown)}`));
}

function card(slide, index) {
    const marks = [
        slide.label === undefined ? null : element('span.chip', {class: slide.lesion ? 'positive' : 'negative'}, cohort.task.classes[slide.class] ?? slide.label),
        slide.split ? element('span.chip.set', {}, slide.split) : null,
        slide.outlined === 'outlined' ? element('span.chip.outlined', {title: 'it has outlines'}, 'outlined') : null,
        slide.outlined === 'nothing' ? element('span.chip.outlined', {title: 'somebody looked: nothing here'}, 'nothing here') : null,
        slide.problem ? element('span.chip.bad', {title: slide.problem}, 'problem') : null,
    ];
    return element('a.card', {href: '#slide/' + encodeURIComponent(slide.id), 'data-index': index, title: slide.problem},
        element('.thumbnail', {}, slide.slide ? element('img', {src: api.thumbnail(slide.id), loading: 'lazy', alt: ''}) : element('span.hint', {}, 'features alone')),
        element('.name', {}, slide.id), element('.marks', {}, marks), cohort.methods.map((method) => said(slide, method)));
}

async function suggestions(where) {
    let list;
    try {
        list = await api.next();
    } catch (error) {
        where.replaceChildren();
        return;
    }
    if (!list.length) return;
    where.replaceChildren(element('h2', {}, 'Outline next'), element('ol', {}, list.slice(0, 5).map((one) => {
        const place = one.side ? `@${Math.round(one.x + one.side / 2)},${Math.round(one.y + one.side / 2)}` : '';
        return element('li', {}, element('a', {href: '#slide/' + encodeURIComponent(one.id) + place},
            one.side ? element('img', {src: api.patch(one.id, one.x, one.y, one.side), alt: ''}) : null,
            element('span', {}, element('b', {}, one.id), ' ', one.reason)));
    })));
}

export function showTable(main) {
    const grid = element('.grid'), count = element('span.hint'), next = element('section.next');
    const values = (member) => [...new Set(cohort.slides.map((slide) => String(slide[member] ?? '')))].filter(Boolean).sort();
    const search = element('input', {type: 'search', placeholder: 'name …  ( / )', 'aria-label': 'name', value: view.text, oninput: () => set('text', search.value)});
    const set = (name, value) => {
        view[name] = value;
        draw();
    };
    const mistakes = element('input', {type: 'checkbox', checked: view.mistakes, onchange: () => set('mistakes', mistakes.checked)});
    const filters = element('.filters', {}, search,
        choice('label', [['', 'every label'], ...values('label').map((v) => [v, v])], view.label, (v) => set('label', v)),
        choice('set', [['', 'every set'], ...values('split').map((v) => [v, v])], view.split, (v) => set('split', v)),
        choice('outlines', [['', 'outlined or not'], ['outlined', 'outlined'], ['nothing', 'nothing here'], ['no', 'not outlined']], view.outlined, (v) => set('outlined', v)),
        element('label', {}, mistakes, 'mistakes'),
        choice('order', Object.entries(orders).map(([name, [text]]) => [name, text]), view.order, (v) => set('order', v)), count);

    function focus(index) {
        const cards = grid.children;
        view.focus = Math.max(0, Math.min(index, cards.length - 1));
        if (cards[view.focus]) cards[view.focus].focus();
    }
    function draw() {
        const slides = chosen();
        grid.replaceChildren(...slides.map(card));
        count.textContent = `${slides.length} of ${cohort.slides.length} slides`;
    }
    function key(event) {
        if (typing(event)) {
            if (event.key === 'Escape') event.target.blur();
            return;
        }
        const across = Math.max(1, Math.floor(grid.clientWidth / (grid.firstChild ? grid.firstChild.offsetWidth + 12 : 1)));
        const steps = {ArrowRight: 1, ArrowLeft: -1, ArrowDown: across, ArrowUp: -across};
        if (event.key in steps) focus(grid.contains(document.activeElement) ? view.focus + steps[event.key] : view.focus);
        else if (event.key === '/') search.focus();
        else return;
        event.preventDefault();
    }
    main.className = 'table';
    main.replaceChildren(next, filters, grid);
    draw();
    suggestions(next);
    document.addEventListener('keydown', key);
    const ends = [hear('overview', draw), hear('kept', () => suggestions(next))];
    return () => {
        document.removeEventListener('keydown', key);
        for (const end of ends) end();
    };
}
