/* SPDX-License-Identifier: Apache-2.0 */
/* The outlines of one slide: the features of a QuPath file, in which everything that is not edited here stays as it was. Every change is
 * saved at once; undo and redo are changes, too. */
import * as api from './api.js';
import {say} from './dom.js';

const UNDO = 200;
const EXCLUSIONS = ['exclude', 'exclusion', '_2'];

export const classOf = (feature) => {
    const given = feature.properties && feature.properties.classification;
    if (!given) return '';
    if (Array.isArray(given)) return given.join(': ');
    return typeof given === 'string' ? given : Array.isArray(given.names) ? given.names.join(': ') : given.name || '';
};
export const excludes = (name) => EXCLUSIONS.includes(name.trim().toLowerCase());

/* QuPath writes cells, tiles and points into the same files: QuPath shows them, we only keep them. */
const other = ['detection', 'cell', 'tile', 'tmaCore', 'tma_core', 'root', 'PathDetectionObject', 'PathCellObject', 'PathTileObject',
    'TMACoreObject', 'PathRootObject'];
export function isOutline(feature) {
    const kind = feature.properties && (feature.properties.objectType || feature.properties.object_type) || feature.id;
    const type = feature.geometry && feature.geometry.type;
    return (type === 'Polygon' || type === 'MultiPolygon') && !other.includes(kind);
}

/* A geometry's positions, shifted. */
export function moved(coordinates, dx, dy) {
    if (!dx && !dy) return coordinates;
    return typeof coordinates[0] === 'number' ? [coordinates[0] + dx, coordinates[1] + dy, ...coordinates.slice(2)]
                                              : coordinates.map((part) => moved(part, dx, dy));
}

export class Outlines {
    /* changed(): the features have changed. saved(): the file has been written. */
    constructor(id, changed, saved) {
        Object.assign(this, {id, changed, saved, features: [], undone: [], done: [], trained: [], busy: false, again: false, shift: [0, 0]});
    }

    async load() {
        const reply = await this.read();
        if (reply) this.replace(reply);
    }

    /* Reads the file; null: it cannot be read, and the page says why. What is shown stays, and the file is not overwritten. */
    async read() {
        try {
            const reply = await api.outlines(this.id);
            this.unreadable = null;
            return reply;
        } catch (error) {
            if (error.status === 0) throw error;
            this.unreadable = error.message;
            this.changed();
            return null;
        }
    }

    /* With the contents written by another program or tab, which cannot be undone here. */
    replace(reply) {
        this.take(reply);
        Object.assign(this, {done: [], undone: [], trained: [reply.collection.features]});
        this.changed();
    }

    take(reply) {
        this.etag = reply.etag;
        this.there = reply.there;
        this.file = reply.file;
        this.from = reply.from;
        this.lesion = reply.lesion;
        this.warnings = reply.warnings;
        this.shift = reply.shift;
        this.collection = reply.collection;
        this.features = reply.collection.features;
    }

    /* The outlines, in the page's positions: [{index, name, geometry}]. */
    outlines() {
        return this.features.map((feature, index) => ({feature, index})).filter(({feature}) => isOutline(feature)).map(({feature, index}) => ({
            index, name: classOf(feature),
            geometry: {type: feature.geometry.type, coordinates: moved(feature.geometry.coordinates, this.shift[0], this.shift[1])},
        }));
    }

    geometry(index) {
        return this.outlines().find((one) => one.index === index).geometry;
    }

    own(geometry) {
        return {type: geometry.type, coordinates: moved(geometry.coordinates, -this.shift[0], -this.shift[1])};
    }

    set(features) {
        if (this.unreadable) return say(`${this.unreadable} Repair or remove that file first, because saving would overwrite it.`, 'bad');
        this.done.push(this.features);
        if (this.done.length > UNDO) this.done.shift();
        this.undone = [];
        this.features = features;
        this.changed();
        return this.save();
    }

    add(geometry, name) {
        const classification = name ? {name, color: excludes(name) ? [90, 90, 200] : [200, 0, 0]} : undefined;
        return this.set([...this.features, {type: 'Feature', id: crypto.randomUUID ? crypto.randomUUID() : undefined, geometry: this.own(geometry),
            properties: {objectType: 'annotation', ...(classification && {classification})}}]);
    }

    /* null: removes it. */
    reshape(index, geometry) {
        return this.set(geometry ? this.features.map((feature, i) => i === index ? {...feature, geometry: this.own(geometry)} : feature)
                                 : this.features.filter((feature, i) => i !== index));
    }

    reshapeAll(changes) {
        return this.set(this.features.map((feature, i) => !changes.has(i) ? feature : changes.get(i) && {...feature, geometry: this.own(changes.get(i))})
            .filter(Boolean));
    }

    rename(index, name) {
        return this.set(this.features.map((feature, i) => i !== index ? feature : {...feature, properties: {...feature.properties,
            classification: {name, color: excludes(name) ? [90, 90, 200] : [200, 0, 0]}}}));
    }

    nothing() {
        return this.set(this.features.filter((feature) => !isOutline(feature)));
    }

    step(from, to) {
        if (!from.length || this.unreadable) return null;
        to.push(this.features);
        this.features = from.pop();
        this.changed();
        return this.save();
    }

    /* Marks the current outlines when a training starts; undoing the training returns to the previous mark, or to the outlines as they were
     * found. */
    mark() {
        this.trained.push(this.features);
    }

    undoTraining() {
        if (this.trained.length > 1) this.trained.pop();
        const before = this.trained.at(-1);
        return before && JSON.stringify(before) !== JSON.stringify(this.features) ? this.set(before) : null;
    }

    undo() {
        return this.step(this.done, this.undone);
    }

    redo() {
        return this.step(this.undone, this.done);
    }

    /* One request at a time; changes made meanwhile are saved afterwards. */
    async save() {
        if (this.busy) {
            this.again = true;
            return;
        }
        this.busy = true;
        try {
            do {
                this.again = false;
                const reply = await api.saveOutlines(this.id, {...this.collection, type: 'FeatureCollection', features: this.features}, this.etag);
                const features = this.features;
                this.take(reply);
                if (this.again) this.features = features;
            } while (this.again);
            this.failed = null;
            this.saved();
        } catch (error) {
            this.failed = error.message;
            this.refused(error);
        } finally {
            this.busy = false;
            this.changed();
        }
    }

    refused(error) {
        if (error.status !== 409) {
            say(error.message, 'bad', [['Undo it', () => this.undo()], ['Try again', () => this.save()]]);
            return;
        }
        const mine = this.features;
        say('Meanwhile these outlines were changed elsewhere (in QuPath or another tab).', 'bad', [
            ['Use those', () => this.load()],
            ['Keep mine', async () => {
                const reply = await this.read();
                if (!reply) return;
                this.take(reply);
                this.set(mine);
            }]]);
    }

    /* The file has changed: through us, or another program. */
    async look() {
        if (this.busy) return;
        const before = this.unreadable, reply = await this.read();
        if (!reply || this.busy) return;
        if (reply.etag === this.etag) return before && this.changed();
        this.replace(reply);
        say(`${reply.file} was changed elsewhere; this is its present state.`);
    }
}
