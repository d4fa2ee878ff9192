/* SPDX-License-Identifier: Apache-2.0 */
/* All keys, as listed in the page's help. */
import {dialog, element} from './dom.js';

const keys = {
    'All slides': [
        ['arrows, Enter', 'move between slides, open one'],
        ['/', 'search by name'],
    ],
    'A slide': [
        ['wheel, + − 0', 'zoom in, zoom out, whole slide'],
        ['arrows', 'pan'],
        ['H G O T', 'heat map, patch grid, outlines, tissue mask'],
        ['N, Shift+N', 'next slide, previous slide, in the order of the list'],
        ['Enter', 'retrain'],
        ['Escape', 'all slides'],
    ],
    'Outlining': [
        ['V', 'pan, and select an outline by clicking it; Delete removes it'],
        ['P', 'polygon: click the corners; Enter, a double click or the first corner finishes it; Backspace removes the last corner'],
        ['F R', 'freehand, rectangle'],
        ['B E', 'brush, which adds to the outline under it (with Alt: removes from it); eraser'],
        ['+ −', 'size of brush and eraser'],
        ['space, middle button', 'hold to pan while a drawing tool is selected; on a touch screen, use two fingers'],
        ['Ctrl+Z, Ctrl+Shift+Z', 'undo, redo'],
    ],
};

export function showKeys() {
    dialog('Keys', ...Object.entries(keys).map(([title, list]) => element('section', {}, element('h3', {}, title),
        element('dl.keys', {}, list.map(([key, what]) => [element('dt', {}, key), element('dd', {}, what)])))),
        element('form', {method: 'dialog'}, element('button.main', {}, 'Close')));
}
