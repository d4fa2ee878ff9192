/* SPDX-License-Identifier: Apache-2.0 */
/* The list of a slide's outlines: class, size and place; the chosen one can be renamed or removed. */
import {cohort} from './cohort.js';
import {askText, choice, element} from './dom.js';
import {excludes} from './outlines.js';

const ring = (points) => Math.abs(points.reduce((sum, [x, y], i) => {
    const [px, py] = points[(i + points.length - 1) % points.length];
    return sum + px * y - x * py;
}, 0)) / 2;

/* Level-0 px². */
export function area(geometry) {
    const polygons = geometry.type === 'Polygon' ? [geometry.coordinates] : geometry.coordinates;
    return polygons.reduce((sum, [outer, ...holes]) => sum + ring(outer) - holes.reduce((all, hole) => all + ring(hole), 0), 0);
}

function size(geometry, mpp) {
    const px = area(geometry);
    if (!mpp) return `${Math.round(px)} px²`;
    const mm2 = px * mpp * mpp / 1e6;
    return mm2 >= 0.001 ? `${Number(mm2.toPrecision(3))} mm²` : `${Math.round(mm2 * 1e6)} µm²`;
}

/* A list of classes, with an entry for a new one; given(name). */
export function classChoice(label, names, name, given) {
    const all = [...new Set([...names, name])].filter(Boolean);
    const list = choice(label, [...all.map((one) => [one, excludes(one) ? `${one} (exclusion)` : one]), ['+', 'another …']], name, async (wanted) => {
        if (wanted !== '+') return given(wanted);
        list.value = name; /* until it has one */
        const other = await askText('Another class', 'name of the class');
        if (other) given(other);
    });
    return list;
}

const plural = (count, one, many) => `${count} ${count === 1 ? one : many}`;

/* "3 outlines, 1 exclusion", or what it means that there are none. */
export function summary(list, there) {
    const exclusions = list.filter((one) => excludes(one.name)).length, lesions = list.length - exclusions;
    if (!list.length) return there ? 'Someone looked: nothing here.' : 'This slide has no outlines.';
    return [lesions || !exclusions ? plural(lesions, 'outline', 'outlines') : '', exclusions ? plural(exclusions, 'exclusion', 'exclusions') : ''].filter(Boolean).join(', ');
}

/* page: outlines, chosen, choose(index), show(geometry), classNames(), info. */
export function outlineList(page, list) {
    const {outlines, chosen, info} = page;
    return element('ul.list', {}, list.map((one) => element('li', {}, element('button.one', {'data-index': one.index, 'aria-pressed': String(one.index === chosen),
        title: 'select it and go there', onclick: () => {
            page.choose(one.index);
            page.show(one.geometry);
        }}, element('span.swatch', {class: excludes(one.name) ? 'exclusion' : 'lesion'}), element('span', {}, one.name || 'no class'), element('span.hint', {}, size(one.geometry, info.mpp))),
    one.index === chosen && !cohort.readOnly ? element('.edit', {}, classChoice('class of this outline', page.classNames(), one.name, (name) => outlines.rename(one.index, name)),
        element('button', {title: 'Delete', onclick: () => outlines.reshape(one.index, null)}, 'Remove')) : null)));
}
