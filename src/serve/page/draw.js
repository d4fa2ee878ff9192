/* SPDX-License-Identifier: Apache-2.0 */
/* Tools that draw outlines on a map. While one is in hand, the pointer draws, and the space bar, the middle button or two fingers move. */
import * as L from './leaflet.js';

import * as api from './api.js';
import {say} from './dom.js';
import {at} from './viewer.js';

export const tools = [
    ['move', 'Move', 'v', 'move the slide, choose outlines'],
    ['polygon', 'Polygon', 'p', 'click the corners; Enter or a double click ends it, Backspace takes the last one back, Escape all'],
    ['freehand', 'Freehand', 'f', 'draw around it'],
    ['rectangle', 'Rectangle', 'r', 'from corner to corner'],
    ['brush', 'Brush', 'b', 'paint: adds to the outline under it; with Alt takes from it. + and − change its size'],
    ['eraser', 'Eraser', 'e', 'takes from every outline under it'],
];

const closed = (points) => ({type: 'Polygon', coordinates: [[...points, points[0]].map((p) => [p.x, p.y])]});

function inRing(ring, x, y) {
    let inside = false;
    for (let i = 0, j = ring.length - 1; i < ring.length; j = i++)
        if ((ring[i][1] > y) !== (ring[j][1] > y) && x < (ring[j][0] - ring[i][0]) * (y - ring[i][1]) / (ring[j][1] - ring[i][1]) + ring[i][0])
            inside = !inside;
    return inside;
}

export function contains(geometry, x, y) {
    const polygons = geometry.type === 'Polygon' ? [geometry.coordinates] : geometry.coordinates;
    return polygons.some((rings) => rings.reduce((inside, ring) => inside !== inRing(ring, x, y), false));
}

/* `desk` has outlines, name() of the class to draw in, chosen (index or null), choose(index), toolChanged(). */
export class Drawing {
    constructor(map, desk) {
        Object.assign(this, {map, desk, tool: 'move', points: [], radius: 24, held: null, space: false});
        this.draft = L.polyline([], {color: '#e6007a', weight: 2, interactive: false, className: 'draft'}).addTo(map);
        this.ring = L.circleMarker([0, 0], {radius: this.radius, color: '#e6007a', weight: 1.5, fill: false, interactive: false, opacity: 0}).addTo(map);
        const box = map.getContainer();
        this.listeners = [['pointerdown', this.down], ['pointermove', this.moved], ['pointerup', this.up], ['pointercancel', this.cancelled],
            ['dblclick', this.twice], ['pointerleave', this.left]].map(([name, listener]) => [name, listener.bind(this)]);
        for (const [name, listener] of this.listeners) box.addEventListener(name, listener, true);
    }

    remove() {
        const box = this.map.getContainer();
        for (const [name, listener] of this.listeners) box.removeEventListener(name, listener, true);
    }

    take(tool) {
        this.stop();
        this.tool = tool;
        const box = this.map.getContainer();
        box.dataset.tool = tool;
        if (tool === 'move') this.map.dragging.enable();
        else this.map.dragging.disable();
        this.ring.setStyle({opacity: 0});
        this.desk.toolChanged();
    }

    stop() {
        this.points = [];
        this.held = null;
        this.draft.setLatLngs([]);
    }

    get brushes() {
        return this.tool === 'brush' || this.tool === 'eraser';
    }

    /* Screen pixels to the slide's. */
    get scale() {
        const map = this.map;
        return 1 / (map.project(at(1, 0)).x - map.project(at(0, 0)).x);
    }

    resize(factor) {
        this.radius = Math.min(Math.max(this.radius * factor, 3), 200);
        this.ring.setRadius(this.radius);
    }

    place(event) {
        const latlng = this.map.mouseEventToLatLng(event);
        return {x: Math.round(latlng.lng * 10) / 10, y: Math.round(latlng.lat * 10) / 10};
    }

    /* Is the event the tool's? Not of the map's buttons, of other mouse buttons, and while the space bar moves the map. */
    mine(event) {
        return this.tool !== 'move' && !this.space && event.button <= 0 && event.isPrimary && !event.target.closest('.leaflet-control');
    }

    down(event) {
        if (this.tool === 'move') {
            this.pressed = {x: event.clientX, y: event.clientY};
            return;
        }
        if (!this.mine(event)) return;
        event.stopPropagation();
        event.preventDefault();
        const point = this.place(event);
        if (this.tool === 'polygon') {
            this.corner(point, event);
        } else {
            this.map.getContainer().setPointerCapture(event.pointerId);
            this.held = {id: event.pointerId, takes: this.tool === 'eraser' || event.altKey};
            this.points = [point];
        }
        this.show(point);
    }

    /* A corner at the first one ends it. */
    corner(point, event) {
        const first = this.points[0], near = 8 * this.scale;
        if (this.points.length > 2 && Math.hypot(point.x - first.x, point.y - first.y) < near) this.end();
        else if (event.detail < 2) this.points.push(point);
    }

    moved(event) {
        if (this.brushes) this.ring.setLatLng(this.map.mouseEventToLatLng(event)).setStyle({opacity: 1});
        if (this.tool === 'move' || (!this.held && !this.points.length)) return;
        const point = this.place(event);
        if (this.held) {
            event.stopPropagation();
            for (const one of event.getCoalescedEvents && event.getCoalescedEvents().length ? event.getCoalescedEvents() : [event]) this.draw(this.place(one));
        }
        this.show(point);
    }

    draw(point) {
        const last = this.points[this.points.length - 1];
        if (this.tool === 'rectangle') this.points = [this.points[0], point];
        else if (Math.hypot(point.x - last.x, point.y - last.y) >= 1.5 * this.scale) this.points.push(point);
    }

    show(point) {
        const line = this.points.map((p) => at(p.x, p.y));
        if (this.tool === 'polygon' && line.length) line.push(at(point.x, point.y));
        if (this.tool === 'rectangle' && this.points.length === 2) {
            const [a, b] = this.points;
            line.splice(0, 2, at(a.x, a.y), at(b.x, a.y), at(b.x, b.y), at(a.x, b.y), at(a.x, a.y));
        }
        this.draft.setLatLngs(line); /* before the style: Leaflet has no bounds of a line without points */
        this.draft.setStyle(this.brushes ? {weight: 2 * this.radius, opacity: 0.35, lineCap: 'round'} : {weight: 2, opacity: 1});
    }

    up(event) {
        if (this.tool === 'move') {
            if (this.pressed && Math.hypot(event.clientX - this.pressed.x, event.clientY - this.pressed.y) < 4 && !event.target.closest('.leaflet-control'))
                this.pick(this.place(event));
            this.pressed = null;
            return;
        }
        if (!this.held || event.pointerId !== this.held.id) return;
        event.stopPropagation();
        this.end();
    }

    cancelled() {
        if (this.held) this.stop();
    }

    twice(event) {
        if (this.tool !== 'polygon') return;
        event.stopPropagation();
        if (this.points.length > 2) this.end();
    }

    left() {
        this.ring.setStyle({opacity: 0});
    }

    under(point) {
        return this.desk.outlines.outlines().filter((one) => contains(one.geometry, point.x, point.y)).map((one) => one.index);
    }

    pick(point) {
        const found = this.under(point);
        this.desk.choose(found.length ? found[found.length - 1] : null);
    }

    /* What was drawn becomes part of the outlines. */
    async end() {
        const {points, held, tool} = this, {outlines} = this.desk;
        this.stop();
        try {
            if (tool === 'rectangle' && points.length === 2 && points[0].x !== points[1].x && points[0].y !== points[1].y) {
                const [a, b] = points;
                await outlines.add(closed([a, {x: b.x, y: a.y}, b, {x: a.x, y: b.y}]), this.desk.name());
            } else if ((tool === 'polygon' || tool === 'freehand') && points.length > 2) {
                await outlines.add(closed(points), this.desk.name());
            } else if (tool === 'brush' || tool === 'eraser') {
                await this.stroke(points, held.takes);
            }
        } catch (error) {
            say(error.message, 'bad');
        }
    }

    async stroke(points, takes) {
        const {outlines} = this.desk, stroke = {points: points.map((p) => [p.x, p.y]), radius: this.radius * this.scale};
        if (this.tool === 'eraser' || takes) {
            const changes = new Map();
            const chosen = this.tool === 'eraser' || this.desk.chosen === null ? outlines.outlines() : outlines.outlines().filter((one) => one.index === this.desk.chosen);
            for (const one of chosen) {
                const made = await api.shape({shape: one.geometry, stroke, add: false});
                if (JSON.stringify(made) !== JSON.stringify(one.geometry)) changes.set(one.index, made);
            }
            if (changes.size) await outlines.reshapeAll(changes);
            return;
        }
        const under = this.desk.chosen !== null ? [this.desk.chosen] : this.under(points[0]).filter((index) => outlines.outlines().find((one) => one.index === index).name === this.desk.name());
        if (!under.length) {
            await outlines.add(await api.shape({shape: null, stroke, add: true}), this.desk.name());
            this.desk.choose(outlines.features.length - 1);
        } else {
            await outlines.reshape(under[under.length - 1], await api.shape({shape: outlines.geometry(under[under.length - 1]), stroke, add: true}));
        }
    }

    /* TRUE: the key was the tool's. */
    key(event) {
        const brush = this.brushes && {'+': 1.25, '=': 1.25, '-': 0.8}[event.key];
        if (brush) this.resize(brush);
        else if (event.key === 'Escape' && (this.points.length || this.tool !== 'move')) this.points.length ? this.stop() : this.take('move');
        else if (event.key === 'Enter' && this.tool === 'polygon' && this.points.length > 2) this.end();
        else if (event.key === 'Backspace' && this.tool === 'polygon' && this.points.length) this.points.pop();
        else return false;
        return true;
    }

    setSpace(down) {
        this.space = down;
        if (this.tool !== 'move') down ? this.map.dragging.enable() : this.map.dragging.disable();
    }
}
