/* SPDX-License-Identifier: Apache-2.0 */
/* What the page knows: the overview, and changes to it. Events for listeners: "overview", "loop", "outlines" (ids), "trained", "kept" (the
 * slides as they were). */
import * as api from './api.js';
import {say} from './dom.js';

export const cohort = {slides: [], methods: [], heats: [], task: {classes: []}, loop: null, version: 0, colours: []};
const listeners = new Map();

/* Returns a function that stops listening. */
export function hear(what, listener) {
    if (!listeners.has(what)) listeners.set(what, new Set());
    listeners.get(what).add(listener);
    return () => listeners.get(what).delete(listener);
}

function tell(what, value) {
    for (const listener of listeners.get(what) || []) listener(value);
}

export const find = (id) => cohort.slides.find((slide) => slide.id === id);

export async function load() {
    Object.assign(cohort, await api.overview());
    tell('overview');
}

/* What to outline next, in random order or by the models' mistakes: requested once for each state of the models and outlines. */
export const wish = {order: 'drawn'};
let suggested = {of: null, list: null};
export function suggestions() {
    const of = `${record} ${serial} ${wish.order}`;
    if (!cohort.methods.length) return Promise.resolve([]);
    if (suggested.of !== of) suggested = {of, list: api.next(wish.order).then((list) => list.map((one) => ({...one, address: address(one)})), () => [])};
    return suggested.list;
}

function address({id, side, x, y}) {
    return '#slide/' + encodeURIComponent(id) + (side ? `@${Math.round(x + side / 2)},${Math.round(y + side / 2)}` : '');
}

let lost = false, record = null, serial = 0;
async function look() {
    try {
        const state = await api.state(cohort.version);
        if (lost) say('');
        lost = false;
        const before = cohort.loop;
        cohort.loop = state.loop || null;
        tell('loop');
        const now = state.loop && state.loop.result ? state.loop.result.serial : 0; /* 0: none, or it was undone */
        if (now !== serial) {
            serial = now;
            cohort.heats = await api.heats();
            tell('trained');
        }
        if (record !== null && record !== state.record) {
            const before = cohort.slides;
            await load();
            tell('kept', before);
        } else if (state.version !== cohort.version) {
            if (state.outlines.length) {
                suggested.of = null;
                tell('outlines', state.outlines);
            }
            await load();
        }
        record = state.record;
        cohort.version = state.version;
        return before && before.phase !== 'idle' ? 300 : 1000;
    } catch (error) {
        if (!lost) say(error.message, 'bad', [['Reload', () => location.reload()]]);
        lost = true;
        return 2000;
    }
}

/* Calls the server at once after something was started. */
let wake = () => {};
export const hurry = () => wake();
export async function follow() {
    for (;;) {
        const pause = await look();
        await new Promise((done) => {
            const timer = setTimeout(done, pause);
            wake = () => {
                clearTimeout(timer);
                done();
            };
        });
    }
}
