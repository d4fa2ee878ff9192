/* SPDX-License-Identifier: Apache-2.0 */
/* Tools that draw outlines on a map. While one is active the pointer draws; the space bar, the middle button or two fingers move the
 * map. */
import * as L from './leaflet.js';

import * as api from './api.js';
import {say} from './dom.js';
import {at} from './viewer.js';

export const tools = [
    ['move', 'Move', 'v', 'move the slide, choose outlines'],
    ['polygon', 'Polygon', 'p', 'click the corners; Enter or a double click finishes, Backspace removes the last corner, Escape cancels'],
    ['freehand', 'Freehand', 'f', 'draw around it'],
    ['rectangle', 'Rectangle', 'r', 'from corner to corner'],
    ['brush', 'Brush', 'b', 'paint: adds to the outline under it; with Alt, removes from it. + and − change the size'],
    ['eraser', 'Eraser', 'e', 'removes from every outline under it'],
];

const NEAR = {touch: 22, other: 9}; /* screen px: how close to the first corner a click ends a polygon */
const DRAFT = '#e6007a';

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

/* `desk` has outlines, name() of the class to draw in, chosen (index or null), choose(index), takeTool(name), radius of the brush in screen
 * px, resize(radius). */
export class Drawing {
    constructor(map, desk) {
        Object.assign(this, {map, desk, tool: 'move', points: [], held: null, space: false, fingers: 0});
        this.draft = L.polyline([], {color: DRAFT, weight: 2, interactive: false, className: 'draft'}).addTo(map);
        this.corners = L.layerGroup().addTo(map);
        this.ring = L.circleMarker([0, 0], {radius: desk.radius, color: DRAFT, weight: 1.5, fill: false, interactive: false, opacity: 0}).addTo(map);
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
    }

    stop() {
        this.points = [];
        this.held = null;
        this.draft.setLatLngs([]);
        this.corners.clearLayers();
    }

    get brushes() {
        return this.tool === 'brush' || this.tool === 'eraser';
    }

    /* Slide pixels per screen pixel. */
    get scale() {
        const map = this.map;
        return 1 / (map.project(at(1, 0)).x - map.project(at(0, 0)).x);
    }

    resized() {
        this.ring.setRadius(this.desk.radius);
    }

    place(event) {
        const latlng = this.map.mouseEventToLatLng(event);
        return {x: Math.round(latlng.lng * 10) / 10, y: Math.round(latlng.lat * 10) / 10};
    }

    /* Is the event for the tool? Not if it is for the map's buttons, uses another mouse button, or the space bar is moving the map. */
    mine(event) {
        return this.tool !== 'move' && !this.space && event.button <= 0 && event.isPrimary && !event.target.closest('.leaflet-control');
    }

    down(event) {
        if (event.pointerType === 'touch' && ++this.fingers > 1) return this.secondFinger();
        if (event.button === 1) return this.grip(event);
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

    /* Two fingers move the map: discards what the first finger began. */
    secondFinger() {
        if (this.held) this.stop();
        else if (this.fingers === 2 && this.points.length) this.takeBack();
    }

    /* The middle button drags the map. */
    grip(event) {
        event.stopPropagation();
        event.preventDefault();
        this.map.getContainer().setPointerCapture(event.pointerId);
        this.gripped = {id: event.pointerId, x: event.clientX, y: event.clientY};
    }

    /* A corner at the first one ends the polygon; the second click of a double click is ignored. */
    corner(point, event) {
        const away = (other) => Math.hypot(point.x - other.x, point.y - other.y) / this.scale;
        const first = this.points[0], last = this.points.at(-1);
        if (this.points.length > 2 && away(first) < (NEAR[event.pointerType] || NEAR.other)) this.end();
        else if (!last || away(last) > 2) this.points.push(point);
    }

    moved(event) {
        if (this.gripped && event.pointerId === this.gripped.id) {
            this.map.panBy([this.gripped.x - event.clientX, this.gripped.y - event.clientY], {animate: false});
            Object.assign(this.gripped, {x: event.clientX, y: event.clientY});
            return;
        }
        if (this.brushes && event.pointerType !== 'touch') this.ring.setLatLng(this.map.mouseEventToLatLng(event)).setStyle({opacity: 1});
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
        this.draft.setLatLngs(line); /* before setting the style: Leaflet has no bounds for a line without points */
        this.draft.setStyle(this.brushes ? {weight: 2 * this.desk.radius, opacity: 0.35, lineCap: 'round'} : {weight: 2, opacity: 1});
        this.showCorners();
    }

    /* The first corner is drawn larger once a click there ends the polygon. */
    showCorners() {
        this.corners.clearLayers();
        if (this.tool !== 'polygon') return;
        this.points.forEach((p, i) => L.circleMarker(at(p.x, p.y), {radius: i === 0 && this.points.length > 2 ? 7 : 3.5, color: DRAFT, weight: 2, fillColor: '#fff', fillOpacity: 1,
            interactive: false, className: 'corner'}).addTo(this.corners));
    }

    up(event) {
        if (event.pointerType === 'touch') this.fingers = Math.max(this.fingers - 1, 0);
        if (this.gripped && event.pointerId === this.gripped.id) {
            this.gripped = null;
            return;
        }
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

    cancelled(event) {
        if (event.pointerType === 'touch') this.fingers = Math.max(this.fingers - 1, 0);
        this.gripped = null;
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

    /* Adds the drawing to the outlines. */
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
        const {outlines} = this.desk, stroke = {points: points.map((p) => [p.x, p.y]), radius: this.desk.radius * this.scale};
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
        const under = this.brushed(points[0]);
        if (!under.length) {
            await outlines.add(await api.shape({shape: null, stroke, add: true}), this.desk.name());
            this.desk.choose(outlines.features.length - 1);
        } else {
            await outlines.reshape(under[under.length - 1], await api.shape({shape: outlines.geometry(under[under.length - 1]), stroke, add: true}));
        }
    }

    /* The outlines that the brush extends: the chosen one if it has the brush's class, or those where the stroke begins. */
    brushed(point) {
        const own = this.desk.outlines.outlines().filter((one) => one.name === this.desk.name()).map((one) => one.index);
        return own.includes(this.desk.chosen) ? [this.desk.chosen] : this.under(point).filter((index) => own.includes(index));
    }

    /* true: the tool has handled the key. */
    key(event) {
        const brush = this.brushes && {'+': 1.25, '=': 1.25, '-': 0.8}[event.key];
        if (brush) this.desk.resize(this.desk.radius * brush);
        else if (event.key === 'Escape' && (this.points.length || this.tool !== 'move')) this.points.length ? this.stop() : this.desk.takeTool('move');
        else if (event.key === 'Enter' && this.tool === 'polygon' && this.points.length > 2) this.end();
        else if (event.key === 'Backspace' && this.tool === 'polygon' && this.points.length) this.takeBack();
        else return false;
        return true;
    }

    takeBack() {
        this.points.pop();
        if (this.points.length) this.show(this.points.at(-1));
        else this.stop();
    }

    setSpace(down) {
        this.space = down;
        if (this.tool !== 'move') down ? this.map.dragging.enable() : this.map.dragging.disable();
    }
}
