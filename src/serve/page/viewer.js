/* SPDX-License-Identifier: Apache-2.0 */
/* A slide in a map: positions are (x, y) pixels of its scanned area, as in QuPath. */
import * as L from './leaflet.js';

import * as api from './api.js';

/* Zoom `deepest` shows a pixel of level 0 as one screen pixel; positions are L.latLng(y, x). */
function makeCrs(deepest) {
    const scale = 1 / 2 ** deepest;
    return L.extend({}, L.CRS.Simple, {transformation: new L.Transformation(scale, 0, scale, 0)});
}

export const at = (x, y) => L.latLng(y, x);

const Tiles = L.TileLayer.extend({
    getTileUrl(place) {
        return api.tile(this.options.id, place.z, place.x, place.y);
    },
});

/* Between two integer zooms the edges of tiles fall within screen pixels, and the background would show through as faint lines. So each
 * tile includes some pixels of its neighbours, and overlaps them. */
function closeSeams(tiles, info) {
    tiles.on('tileloadstart', ({tile}) => {
        tile.style.width = tile.style.height = info.tile + info.over + 'px';
    });
}

/* A round number of µm (or of pixels, if the slide does not state its resolution), and how large a pixel is shown. */
const ScaleBar = L.Control.extend({
    options: {position: 'bottomleft'},
    onAdd(map) {
        this._box = L.DomUtil.create('div', 'scale');
        this._line = L.DomUtil.create('div', 'line', this._box);
        this._text = L.DomUtil.create('div', 'text', this._box);
        map.on('zoom move', this._update, this);
        this._update();
        return this._box;
    },
    onRemove(map) {
        map.off('zoom move', this._update, this);
    },
    _update() {
        const {mpp, deepest} = this.options, shown = 2 ** (this._map.getZoom() - deepest); /* screen px per level-0 px */
        const unit = (mpp || 1) / shown, room = 140 * unit, power = 10 ** Math.floor(Math.log10(room));
        const length = [5, 2, 1].map((step) => step * power).find((step) => step <= room);
        this._line.style.width = length / unit + 'px';
        const words = mpp ? (length >= 1000 ? length / 1000 + ' mm' : length + ' µm') : length + ' px';
        const power_ = mpp ? 10 / mpp * shown : null;
        this._text.textContent = power_ ? `${words} · ${power_ >= 10 ? Math.round(power_) : power_.toPrecision(2)}×` : words;
        this._box.dataset.pixels = (length / unit).toFixed(3);
        this._box.dataset.length = length;
    },
});

export function makeViewer(where, info) {
    const bounds = L.latLngBounds(at(0, 0), at(info.width, info.height));
    const map = L.map(where, {
        crs: makeCrs(info.deepest), attributionControl: false, zoomControl: false, minZoom: 0, maxZoom: info.deepest + 2, zoomSnap: 0.25,
        zoomDelta: 1, wheelPxPerZoomLevel: 80, wheelDebounceTime: 15, maxBounds: bounds.pad(0.5), maxBoundsViscosity: 0.3, doubleClickZoom: false,
        boxZoom: false, inertia: true, fadeAnimation: false, keyboard: false,
    });
    L.control.zoom({position: 'topleft'}).addTo(map);
    new ScaleBar({mpp: info.mpp, deepest: info.deepest}).addTo(map);
    const tiles = new Tiles('', {id: info.id, tileSize: info.tile, minZoom: 0, maxZoom: info.deepest + 2, minNativeZoom: 0, maxNativeZoom: info.deepest, bounds,
        noWrap: true, keepBuffer: 4, updateWhenZooming: false});
    closeSeams(tiles, info);
    tiles.addTo(map);
    map.fitBounds(bounds, {animate: false});
    where.slide = info; /* for tests: what is shown, and where */
    where.map = map;
    return map;
}

/* `change` changes the size of the map, and its centre stays. Bounds are set later, because Leaflet would begin to move into them before it
 * knows its position. */
export function resize(map, change) {
    const centre = map.getCenter(), zoom = map.getZoom(), bounds = map.options.maxBounds;
    change();
    map.setMaxBounds(null);
    map.invalidateSize({animate: false, pan: false});
    map.setView(centre, zoom, {reset: true});
    map.setMaxBounds(bounds);
}

/* Keeps two maps at the same place. Returns a function that ends it. */
export function move(a, b) {
    let own = false;
    const follow = (from, to) => (event) => {
        if (own) return;
        own = true;
        if (event.type === 'zoomanim') to.setView(event.center, event.zoom, {animate: true});
        else to.setView(from.getCenter(), from.getZoom(), {animate: false});
        own = false;
    };
    const there = follow(a, b), back = follow(b, a);
    b.setView(a.getCenter(), a.getZoom(), {animate: false});
    a.on('move zoomanim', there);
    b.on('move zoomanim', back);
    return () => {
        a.off('move zoomanim', there);
        b.off('move zoomanim', back);
    };
}
