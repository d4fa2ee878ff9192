/* SPDX-License-Identifier: Apache-2.0 */
/* Patches over a slide: their colours, or only their edges. A canvas somewhat larger than the map, redrawn when a movement ends. */
import * as L from './leaflet.js';

import {at} from './viewer.js';

const BEYOND = 0.3; /* share of the map's size, on every side */
const CLEAR = 0.35; /* share of the opacity for the least attended patches, so that the slide is visible under them */

export const PatchLayer = L.Layer.extend({
    options: {opacity: 0.6, grid: false},
    initialize(patches, options) {
        L.setOptions(this, options);
        this._patches = patches;
    },
    onAdd(map) {
        this._canvas = L.DomUtil.create('canvas', 'patches leaflet-zoom-animated');
        map.getPane('overlayPane').appendChild(this._canvas);
        this._canvas.style.opacity = this.options.opacity;
        this._redraw();
    },
    onRemove() {
        this._canvas.remove();
    },
    getEvents() {
        return {moveend: this._redraw, viewreset: this._redraw, resize: this._redraw, zoomanim: this._zoom};
    },
    /* heat: {colours: [0 … 255 or −1]}, palette: 256 colours. */
    setHeat(heat, palette) {
        this._heat = heat;
        this._palette = palette;
        if (this._map) this._redraw();
    },
    setOpacity(opacity) {
        this.options.opacity = opacity;
        if (this._canvas) this._canvas.style.opacity = opacity;
    },
    setGrid(grid) {
        this.options.grid = grid;
        if (this._map) this._redraw();
    },
    /* The patch at a position; −1: none. */
    find(x, y) {
        const {x: xs, y: ys, side} = this._patches;
        for (let i = xs.length; i-- > 0;)
            if (x >= xs[i] && x < xs[i] + side && y >= ys[i] && y < ys[i] + side) return i;
        return -1;
    },
    _zoom(event) {
        const offset = this._map._latLngToNewLayerPoint(this._corner, event.zoom, event.center);
        L.DomUtil.setTransform(this._canvas, offset, this._map.getZoomScale(event.zoom, this._zoomed));
    },
    _redraw() {
        const map = this._map, size = map.getSize(), canvas = this._canvas, ratio = window.devicePixelRatio || 1;
        const room = size.multiplyBy(BEYOND).round(), corner = map.containerPointToLayerPoint(room.multiplyBy(-1)).round();
        const width = size.x + 2 * room.x, height = size.y + 2 * room.y;
        canvas.width = width * ratio;
        canvas.height = height * ratio;
        canvas.style.width = width + 'px';
        canvas.style.height = height + 'px';
        L.DomUtil.setPosition(canvas, corner);
        this._corner = map.layerPointToLatLng(corner);
        this._zoomed = map.getZoom();
        this._draw(canvas.getContext('2d'), corner, ratio, canvas.width, canvas.height);
    },
    /* Neighbours share their edges, so both sides of an edge are rounded alike. */
    _draw(context, corner, ratio, width, height) {
        const {x: xs, y: ys, side} = this._patches, map = this._map, origin = map.getPixelOrigin();
        const zero = map.project(at(0, 0)).subtract(origin).subtract(corner), scale = map.project(at(1, 0)).x - map.project(at(0, 0)).x;
        const place = (value, start) => Math.round((start + value * scale) * ratio);
        const colours = this._heat && this._heat.colours;
        context.strokeStyle = 'rgba(20, 20, 20, 0.6)';
        for (let i = 0; i < xs.length; i++) {
            const left = place(xs[i], zero.x), upper = place(ys[i], zero.y);
            const right = place(xs[i] + side, zero.x), lower = place(ys[i] + side, zero.y);
            if (right < 0 || lower < 0 || left > width || upper > height) continue;
            if (colours && colours[i] >= 0) {
                context.fillStyle = this._palette[colours[i]];
                context.globalAlpha = CLEAR + (1 - CLEAR) * colours[i] / 255;
                context.fillRect(left, upper, Math.max(right - left, 1), Math.max(lower - upper, 1));
            }
            context.globalAlpha = 1;
            if (this.options.grid && right - left > 3) context.strokeRect(left + 0.5, upper + 0.5, right - left, lower - upper);
        }
    },
});
