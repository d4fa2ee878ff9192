/* SPDX-License-Identifier: Apache-2.0 */
/* The page begins: which of its two faces is shown stands in the address, behind "#". */
import {cohort, follow, load} from './cohort.js';
import {element, say} from './dom.js';
import {showSlide} from './slide.js';
import {showTable} from './table.js';

const main = document.getElementById('main'), top = document.getElementById('top');
let leave = () => {};

function head(id) {
    const facts = [];
    if (cohort.readOnly) facts.push('read only');
    if (!cohort.trains && !cohort.readOnly) facts.push('no run: nothing is trained');
    top.replaceChildren(
        element('a.brand', {href: '#'}, 'rankmil'), element('a', {href: '#', title: 'all slides'}, cohort.title),
        id ? element('span.here', {}, id) : '', facts.length ? element('span.fact', {}, facts.join(', ')) : '');
    document.title = id ? `${id} · rankmil view` : 'rankmil view';
}

function route() {
    leave();
    const [, id, at] = location.hash.match(/^#slide\/([^@]*)(?:@(.*))?$/) || [];
    const name = id === undefined ? null : decodeURIComponent(id);
    head(name);
    say('');
    leave = name === null ? showTable(main) : showSlide(main, name, at ? at.split(',').map(Number) : null);
}

try {
    await load();
    window.addEventListener('hashchange', route);
    route();
    follow();
} catch (error) {
    main.replaceChildren(element('p.bad', {}, error.message));
}
