/* SPDX-License-Identifier: Apache-2.0 */
/* Start of the page: the address after "#" says which of the two views is shown. */
import {cohort, follow, load} from './cohort.js';
import {element, say, taken} from './dom.js';
import {showKeys} from './keys.js';
import {showSlide} from './slide.js';
import {listed, showTable} from './table.js';

const main = document.getElementById('main'), top = document.getElementById('top');
let leave = () => {}, here = null;

export const addressOf = (id) => '#slide/' + encodeURIComponent(id);

/* The slide `step` positions further in the filtered and sorted list, which wraps around. */
function neighbour(id, step) {
    const ids = listed(id);
    return ids[(ids.indexOf(id) + step + ids.length) % ids.length];
}

function walk(id) {
    const ids = listed(id);
    const link = (step, text, title) => element('a.step', {href: addressOf(neighbour(id, step)), title, 'aria-label': title}, text);
    return element('nav.walk', {'aria-label': 'slides'}, link(-1, '‹', 'previous slide (Shift+N)'), element('h1', {}, id),
        link(1, '›', 'next slide (N)'), element('span.hint', {}, ids.includes(id) ? `${ids.indexOf(id) + 1} of ${ids.length}` : ''));
}

function head(id) {
    const facts = [];
    if (cohort.readOnly) facts.push('read only');
    if (!cohort.folder) facts.push('no run yet: slides and outlines only');
    top.replaceChildren(
        element('a.brand', {href: '#'}, 'rankmil'),
        id === null ? element('h1', {}, cohort.title) : element('a', {href: '#', title: 'all slides (Escape)'}, cohort.title),
        id === null ? '' : walk(id), element('span.fact', {}, facts.join(', ')),
        element('button.help', {title: 'keys (?)', onclick: showKeys}, '?'));
    document.title = id === null ? 'rankmil view' : `${id} · rankmil view`;
}

/* A slide's id; null: all slides, also if the address cannot be decoded. */
function idOf(text) {
    try {
        return text === undefined ? null : decodeURIComponent(text);
    } catch (error) {
        return null;
    }
}

function route() {
    leave();
    const [, id, at] = location.hash.match(/^#slide\/([^@]*)(?:@(.*))?$/) || [];
    const before = here;
    here = idOf(id);
    head(here);
    say('');
    leave = here === null ? showTable(main, before) : showSlide(main, here, at ? at.split(',').map(Number) : null);
}

function key(event) {
    if (taken(event)) return;
    if (event.key === '?') showKeys();
    else if (here !== null && event.key.toLowerCase() === 'n') location.hash = addressOf(neighbour(here, event.shiftKey ? -1 : 1));
    else return;
    event.preventDefault();
}

try {
    await load();
    window.addEventListener('hashchange', route);
    document.addEventListener('keydown', key);
    route();
    follow();
} catch (error) {
    main.replaceChildren(element('p.bad', {}, error.message));
}
