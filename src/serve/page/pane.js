/* SPDX-License-Identifier: Apache-2.0 */
/* One map of a slide with its layers: a heat map and its legend, outlines, the tissue mask, information on a patch. */
import * as L from './leaflet.js';

import * as api from './api.js';
import {cohort} from './cohort.js';
import {element, number, say} from './dom.js';
import {excludes} from './outlines.js';
import {PatchLayer} from './patches.js';
import {at, makeViewer} from './viewer.js';

const RAMP = 180; /* length of the legend's colour scale in px */
export const LESION = '#e4322b', EXCLUSION = '#3b6fe0';

/* The models' prediction in words: "positive 0.93", "risk −1.20". */
function words(heat) {
    const {kind, classes} = cohort.task;
    return kind === 'classes' ? `${classes[heat.predicted] ?? ''} ${number(heat.values[heat.predicted])}` : (kind === 'survival' ? 'risk ' : '') + number(heat.answer);
}

export class Pane {
    /* view: what is shown, shared by all panes. hover(i): the pointer is over patch i; −1: over none. */
    constructor(where, info, patches, view, hover) {
        Object.assign(this, {info, patches, view});
        this.box = element('.map');
        where.append(this.box);
        this.map = makeViewer(this.box, info);
        this.tip = element('.tip');
        this.legend = element('.legend');
        this.box.append(this.tip, this.legend);
        this.shapes = L.layerGroup().addTo(this.map);
        if (patches) this.layer = new PatchLayer(patches, {opacity: view.shown ? view.opacity : 0, grid: view.grid}).addTo(this.map);
        this.frame = L.rectangle([at(0, 0), at(0, 0)], {color: '#111', weight: 2, fill: false, interactive: false, opacity: 0, className: 'frame'}).addTo(this.map);
        this.map.on('mousemove', (event) => hover(this.layer ? this.layer.find(event.latlng.lng, event.latlng.lat) : -1));
        this.map.on('mouseout', () => hover(-1));
    }

    async show(name) {
        const {by} = this.view;
        this.name = name;
        this.heat = null;
        if (!this.layer || !name) return;
        try {
            const heat = await api.heat(this.info.id, name, by);
            if (this.name !== name || this.view.by !== by) return;
            this.heat = heat;
            this.layer.setHeat(heat, cohort.colours);
            this.box.dataset.serial = Number(this.box.dataset.serial || 0) + 1;
            this.box.dataset.heat = name + ' ' + this.box.dataset.serial;
            this.showLegend();
        } catch (error) {
            say(error.message, 'bad');
        }
    }

    showLegend() {
        const {heat, legend} = this;
        const title = (cohort.heats.find((one) => one.name === this.name) || {title: this.name}).title;
        const ramp = element('canvas', {width: RAMP, height: 10});
        const context = ramp.getContext('2d');
        for (let x = 0; x < RAMP; x++) {
            context.fillStyle = cohort.colours[Math.round(x / (RAMP - 1) * 255)];
            context.fillRect(x, 0, 1, 10);
        }
        legend.replaceChildren(element('b', {}, title), element('span', {}, `says ${words(heat)}`), ramp,
            element('.ticks', {}, heat.ticks.map((tick) => element('span', {'data-at': tick.at}, tick.text))), element('span', {}, heat.label));
        this.placeTicks([...legend.querySelectorAll('.ticks span')]);
    }

    /* Places the last tick, and those of the others that have room. */
    placeTicks(ticks) {
        for (const tick of ticks) tick.style.left = tick.dataset.at * RAMP + 'px';
        const last = ticks.at(-1), end = last ? last.getBoundingClientRect().left : 0;
        let taken = -Infinity;
        for (const tick of ticks) {
            const {left, right} = tick.getBoundingClientRect();
            if (tick !== last && (left < taken || right + 4 > end)) tick.remove();
            else taken = right + 4;
        }
    }

    /* Shows information on a patch, and a frame around it; −1: none. */
    tell(i, framed) {
        const {heat, patches} = this;
        this.frame.setStyle({opacity: i >= 0 && framed ? 1 : 0});
        if (i >= 0) this.frame.setBounds([at(patches.x[i], patches.y[i]), at(patches.x[i] + patches.side, patches.y[i] + patches.side)]);
        this.tip.replaceChildren(i < 0 || !heat ? '' : `patch ${i}: attention ${number(heat.relative[i], heat.relative[i] < 10 ? 2 : 0)} × mean, score ${number(heat.scores[i])}`);
    }

    draw(outlines, chosen) {
        this.shapes.clearLayers();
        if (!this.view.outlines) return;
        for (const one of outlines) {
            const polygons = one.geometry.type === 'Polygon' ? [one.geometry.coordinates] : one.geometry.coordinates;
            const style = {color: excludes(one.name) ? EXCLUSION : LESION, weight: one.index === chosen ? 4 : 2, fillOpacity: one.index === chosen ? 0.15 : 0.04,
                dashArray: excludes(one.name) ? '7 5' : null, interactive: false, smoothFactor: 0.5, className: 'outline'};
            L.polygon(polygons.map((rings) => rings.map((ring) => ring.map(([x, y]) => at(x, y)))), style).addTo(this.shapes);
        }
    }

    restyle() {
        const {view} = this, {left, top, fullWidth, fullHeight, id} = this.info;
        if (this.layer) {
            this.layer.setOpacity(view.shown ? view.opacity : 0);
            this.layer.setGrid(view.grid);
        }
        if (view.tissue && !this.tissue) this.tissue = L.imageOverlay(api.mask(id), [at(-left, -top), at(fullWidth - left, fullHeight - top)], {opacity: 0.35}).addTo(this.map);
        if (!view.tissue && this.tissue) this.tissue.remove();
        if (!view.tissue) this.tissue = null;
        this.legend.hidden = !view.shown;
        if (view.shown && this.heat) this.showLegend(); /* ticks have a size only while they are visible */
    }

    go(x, y, side) {
        const {deepest} = this.info, zoom = Math.min(deepest, Math.max(this.map.getZoom(), deepest - Math.max(0, Math.log2(side / 160))));
        this.map.setView(at(x, y), zoom);
    }

    /* Shows all of an outline. */
    goTo(geometry) {
        const points = geometry.coordinates.flat(geometry.type === 'Polygon' ? 1 : 2), xs = points.map(([x]) => x), ys = points.map(([, y]) => y);
        const least = (values) => values.reduce((a, b) => Math.min(a, b)), most = (values) => values.reduce((a, b) => Math.max(a, b));
        this.map.fitBounds(L.latLngBounds(at(least(xs), least(ys)), at(most(xs), most(ys))).pad(0.5), {maxZoom: this.info.deepest});
    }

    remove() {
        this.map.remove();
        this.box.remove();
    }
}
