/* SPDX-License-Identifier: Apache-2.0 */
/* All keys, as the page says them. */
import {dialog, element} from './dom.js';

const keys = {
    'All slides': [
        ['arrows, Enter', 'from slide to slide, open one'],
        ['/', 'look for a name'],
    ],
    'A slide': [
        ['wheel, + − 0', 'nearer, farther, all of it'],
        ['arrows', 'move the slide'],
        ['H G O T', 'heat map, patch grid, outlines, tissue mask'],
        ['N, Shift+N', 'next slide, the one before, in the order of the list'],
        ['Enter', 'retrain'],
        ['Escape', 'all slides'],
    ],
    'Outlining': [
        ['V', 'move, and choose an outline by a click; Delete removes it'],
        ['P', 'polygon: click the corners; Enter, a double click or the first corner ends it; Backspace takes a corner back'],
        ['F R', 'freehand, rectangle'],
        ['B E', 'brush, which adds to the outline under it, with Alt takes from it; eraser'],
        ['+ −', 'size of brush and eraser'],
        ['space, middle button', 'hold it to move the slide while a tool is in hand; two fingers do it on a screen'],
        ['Ctrl+Z, Ctrl+Shift+Z', 'undo, redo'],
    ],
};

export function showKeys() {
    dialog('Keys', ...Object.entries(keys).map(([title, list]) => element('section', {}, element('h3', {}, title),
        element('dl.keys', {}, list.map(([key, what]) => [element('dt', {}, key), element('dd', {}, what)])))),
        element('form', {method: 'dialog'}, element('button.main', {}, 'Close')));
}
