/* SPDX-License-Identifier: Apache-2.0 */
/* Requests to the server. Every address is relative, so that it includes the token in the page's address. */

export class Refused extends Error {
    constructor(status, message) {
        super(message);
        this.status = status;
    }
}

async function ask(method, path, body, headers = {}) {
    let reply;
    try {
        reply = await fetch(path, {method, headers, body: body === undefined ? undefined : JSON.stringify(body)});
    } catch (error) {
        throw new Refused(0, 'rankmil view does not answer. Has it been stopped? Start it again: everything that was saved is still there.');
    }
    const text = await reply.text();
    let value;
    try {
        value = JSON.parse(text);
    } catch (error) {
        throw new Refused(reply.status, text.trim());
    }
    if (!reply.ok) throw new Refused(reply.status, value.error || reply.statusText);
    return value;
}

const of = (id) => 'slide/' + encodeURIComponent(id);
export const overview = () => ask('GET', 'overview');
export const heats = () => ask('GET', 'heats');
export const next = (order) => ask('GET', `next?order=${order}`);
export const state = (since) => ask('GET', 'state?since=' + since);
export const slide = (id) => ask('GET', of(id));
export const patches = (id) => ask('GET', of(id) + '/patches');
export const heat = (id, name, by) => ask('GET', of(id) + '/heat/' + name.split('/').map(encodeURIComponent).join('/') + '?by=' + by);
export const outlines = (id) => ask('GET', of(id) + '/outlines');
export const saveOutlines = (id, collection, etag) => ask('PUT', of(id) + '/outlines', collection, {'If-Match': etag});
export const shape = (request) => ask('POST', 'shape', request);
export const retrain = (slide, method) => ask('POST', 'retrain', {slide, method});
export const undoTraining = () => ask('POST', 'undo', {});
export const thumbnail = (id) => of(id) + '/thumbnail';
export const tile = (id, z, x, y) => `${of(id)}/tile/${z}/${x}/${y}`;
export const patch = (id, x, y, side) => `${of(id)}/patch/${Math.round(x)}/${Math.round(y)}/${Math.round(side)}`;
export const mask = (id) => of(id) + '/mask';
