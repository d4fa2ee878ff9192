/* SPDX-License-Identifier: Apache-2.0 */
/* One slide: the map, what lies over it, the tools, the loop. */
import * as L from './leaflet.js';

import * as api from './api.js';
import {cohort, find, hear} from './cohort.js';
import {choice, element, number, say, typing} from './dom.js';
import {Drawing, tools} from './draw.js';
import {excludes, Outlines} from './outlines.js';
import {PatchLayer} from './patches.js';
import {trainPanel} from './train.js';
import {at, makeViewer, move} from './viewer.js';

/* What stays from slide to slide. */
const view = {heat: null, second: '', opacity: 0.55, shown: true, grid: false, outlines: true, tissue: false, name: ''};

/* One map with its overlays. */
class Pane {
    constructor(where, info, patches) {
        this.box = element('.map');
        where.append(this.box);
        this.info = info;
        this.map = makeViewer(this.box, info);
        this.tip = element('.tip');
        this.legend = element('.legend');
        this.box.append(this.tip, this.legend);
        this.shapes = L.layerGroup().addTo(this.map);
        if (patches) this.layer = new PatchLayer(patches, {opacity: view.shown ? view.opacity : 0, grid: view.grid}).addTo(this.map);
        this.map.on('mousemove', (event) => this.hover(event.latlng.lng, event.latlng.lat));
        this.map.on('mouseout', () => this.tip.replaceChildren());
    }

    async show(name) {
        this.name = name;
        this.heat = null;
        if (!this.layer || !name) return;
        try {
            const heat = await api.heat(this.info.id, name);
            if (this.name !== name) return;
            this.heat = heat;
            this.layer.setHeat(heat, cohort.colours);
            this.box.dataset.heat = name + ' ' + (Number(this.box.dataset.serial || 0) + 1);
            this.box.dataset.serial = Number(this.box.dataset.serial || 0) + 1;
            this.showLegend();
        } catch (error) {
            say(error.message, 'bad');
        }
    }

    showLegend() {
        const {heat, legend} = this, classes = cohort.task.classes;
        const title = (cohort.heats.find((one) => one.name === this.name) || {title: this.name}).title;
        const said = classes.length ? `${classes[heat.predicted] ?? ''} ${number(heat.values[heat.predicted])}` : number(heat.answer);
        const ramp = element('canvas', {width: 160, height: 10});
        const context = ramp.getContext('2d');
        for (let x = 0; x < 160; x++) {
            context.fillStyle = cohort.colours[Math.round(x / 159 * 255)];
            context.fillRect(x, 0, 1, 10);
        }
        legend.replaceChildren(element('b', {}, title), element('span', {}, `says ${said}`), ramp,
            element('.ticks', {}, heat.ticks.map((tick) => element('span', {'data-at': tick.at}, tick.text))), element('span', {}, heat.label));
        for (const tick of legend.querySelectorAll('.ticks span')) tick.style.left = tick.dataset.at * 160 + 'px';
    }

    hover(x, y) {
        const i = this.layer ? this.layer.find(x, y) : -1, heat = this.heat;
        this.tip.replaceChildren(i < 0 || !heat ? '' : `patch ${i}: ${number(heat.relative[i], heat.relative[i] < 10 ? 2 : 0)} × mean attention, score ${number(heat.scores[i])}`);
    }

    draw(outlines, chosen) {
        this.shapes.clearLayers();
        if (!view.outlines) return;
        for (const one of outlines) {
            const polygons = one.geometry.type === 'Polygon' ? [one.geometry.coordinates] : one.geometry.coordinates;
            const style = {color: excludes(one.name) ? '#3b6fe0' : '#e4322b', weight: one.index === chosen ? 4 : 2, fillOpacity: one.index === chosen ? 0.15 : 0.04,
                interactive: false, smoothFactor: 0.5, className: 'outline'};
            L.polygon(polygons.map((rings) => rings.map((ring) => ring.map(([x, y]) => at(x, y)))), style).addTo(this.shapes);
        }
    }

    setTissue(on) {
        if (this.tissue) this.tissue.remove();
        const {left, top, fullWidth, fullHeight, id} = this.info;
        this.tissue = on ? L.imageOverlay(api.mask(id), [at(-left, -top), at(fullWidth - left, fullHeight - top)], {opacity: 0.35}).addTo(this.map) : null;
    }

    go(x, y, side) {
        const zoom = Math.min(this.info.deepest, Math.max(this.map.getZoom(), this.info.deepest - Math.max(0, Math.log2(side / 160))));
        this.map.setView(at(x, y), zoom);
    }

    remove() {
        this.map.remove();
        this.box.remove();
    }
}

class SlidePage {
    constructor(main, info, patches, place) {
        this.info = info;
        this.patches = patches;
        this.chosen = null;
        this.maps = element('.maps');
        this.side = element('aside.side');
        main.className = 'slide';
        main.replaceChildren(element('.stage', {}, this.toolbar(), this.maps, this.strip = element(patches ? '.strip' : '.strip.none')), this.side);
        this.outlines = new Outlines(info.id, () => this.drawn(), () => this.saved());
        this.panes = [new Pane(this.maps, info, patches)];
        this.drawing = new Drawing(this.panes[0].map, this);
        this.train = trainPanel(this);
        if (place) this.panes[0].go(place[0], place[1], 224);
        this.fill();
        this.setSecond(view.second);
        this.showHeat();
        this.outlines.load().catch((error) => say(error.message, 'bad'));
        this.ends = [
            hear('outlines', (ids) => ids.includes(info.id) && this.outlines.look()),
            hear('trained', () => this.trained()),
            hear('kept', () => this.kept()),
        ];
        this.listener = (event) => this.key(event);
        this.released = (event) => event.key === ' ' && this.drawing.setSpace(false);
        document.addEventListener('keydown', this.listener);
        document.addEventListener('keyup', this.released);
    }

    remove() {
        document.removeEventListener('keydown', this.listener);
        document.removeEventListener('keyup', this.released);
        for (const end of this.ends) end();
        if (this.together) this.together();
        this.drawing.remove();
        this.train.remove();
        for (const pane of this.panes) pane.remove();
    }

    /* -- heat maps -- */
    get heatName() {
        const names = cohort.heats.map((one) => one.name);
        if (view.heat && names.includes(view.heat)) return view.heat;
        const guided = cohort.heats.find((one) => one.name === 'now') || cohort.heats.find((one) => /^rank(-|$)/.test(one.name) && !one.name.includes('/'));
        return guided ? guided.name : names[0] || null;
    }

    async showHeat() {
        await this.panes[0].show(this.heatName);
        this.showStrip();
    }

    setSecond(name) {
        view.second = cohort.heats.some((one) => one.name === name) ? name : '';
        if (this.together) this.together();
        this.together = null;
        if (this.panes[1] && !view.second) this.panes.pop().remove();
        const {map} = this.panes[0], centre = map.getCenter(), zoom = map.getZoom();
        this.maps.classList.toggle('two', view.second !== '');
        map.invalidateSize({animate: false, pan: false});
        map.setView(centre, zoom, {animate: false});
        if (view.second && !this.panes[1]) this.panes.push(new Pane(this.maps, this.info, this.patches));
        if (!this.panes[1]) return;
        this.together = move(this.panes[0].map, this.panes[1].map);
        this.panes[1].show(view.second);
        this.drawn();
    }

    showStrip() {
        const {heat} = this.panes[0], {patches} = this;
        if (!heat || !patches) {
            this.strip.replaceChildren();
            return;
        }
        this.strip.replaceChildren(...heat.top.filter((i, rank) => rank < 4 || heat.relative[i] >= 0.1).slice(0, 16).map((i) => element('button', {
            title: `${number(heat.relative[i])} × mean attention`,
            onclick: () => this.panes[0].go(patches.x[i] + patches.side / 2, patches.y[i] + patches.side / 2, patches.side),
        }, element('img', {src: api.patch(this.info.id, patches.x[i], patches.y[i], patches.side), alt: `patch ${i}`}), element('span', {}, number(heat.relative[i], 1) + '×'))));
    }

    async trained() {
        view.heat = cohort.heats.some((one) => one.name === 'now') ? 'now' : null;
        this.fill();
        await this.showHeat();
    }

    async kept() {
        view.heat = null;
        this.fill();
        await this.showHeat();
    }

    restyle() {
        for (const pane of this.panes) {
            if (pane.layer) {
                pane.layer.setOpacity(view.shown ? view.opacity : 0);
                pane.layer.setGrid(view.grid);
            }
            pane.setTissue(view.tissue);
        }
        this.drawn();
    }

    /* -- the side -- */
    fill() {
        const slide = find(this.info.id) || {said: {}}, heats = cohort.heats.map((one) => [one.name, one.title]);
        const tick = (member, text) => {
            const box = element('input', {type: 'checkbox', checked: view[member], onchange: () => {
                view[member] = box.checked;
                this.restyle();
            }});
            return element('label', {}, box, text);
        };
        const opacity = element('input', {type: 'range', min: 0, max: 1, step: 0.05, 'aria-label': 'opacity', oninput: () => {
            view.opacity = Number(opacity.value);
            this.restyle();
        }});
        opacity.value = view.opacity;
        const {info} = this, facts = [`${info.width} × ${info.height} px`, info.mpp ? `${info.mpp.toFixed(3)} µm/px` : 'resolution unknown', this.patches ? `${this.patches.x.length} patches` : 'no features'];
        this.side.replaceChildren(
            element('section', {}, element('h2', {}, info.id), element('p.marks', {},
                slide.label !== undefined && element('span.chip', {class: slide.lesion ? 'positive' : 'negative'}, cohort.task.classes[slide.class] ?? slide.label),
                slide.split && element('span.chip.set', {}, slide.split)), element('p.hint', {}, facts.join(' · ')),
                slide.problem && element('p.bad', {}, slide.problem)),
            heats.length ? element('section', {}, element('h2', {}, 'Over the slide'),
                choice('heat map', heats, this.heatName, (name) => {
                    view.heat = name;
                    this.showHeat();
                }),
                element('label', {}, 'beside it', choice('second heat map', [['', 'nothing'], ...heats], view.second, (name) => this.setSecond(name))),
                element('label', {}, 'opacity', opacity), tick('shown', 'heat map (H)')) : '',
            element('section.ticks', {}, tick('grid', 'patch grid (G)'), tick('outlines', 'outlines (O)'), tick('tissue', 'tissue mask (T)')),
            this.outlineBox = element('section.outlines'), this.train.box);
        this.drawn();
    }

    /* -- outlines -- */
    name() {
        return view.name || this.outlines.lesion || 'Tumor';
    }

    choose(index) {
        this.chosen = index;
        this.drawn();
    }

    toolChanged() {
        for (const button of this.tools.querySelectorAll('button[data-tool]')) button.setAttribute('aria-pressed', button.dataset.tool === this.drawing.tool);
    }

    toolbar() {
        return this.tools = element('.toolbar', {},
            cohort.readOnly ? [] : tools.map(([name, text, key, hint]) => element('button', {'data-tool': name, 'aria-pressed': String(name === 'move'), title: `${hint} (${key.toUpperCase()})`,
                onclick: () => this.drawing.take(name)}, text)),
            cohort.readOnly ? [] : [element('button.undo', {title: 'undo (Ctrl+Z)', onclick: () => this.outlines.undo()}, 'Undo'),
                element('button.redo', {title: 'redo (Ctrl+Shift+Z)', onclick: () => this.outlines.redo()}, 'Redo'), this.classes = element('span')]);
    }

    fillClasses(names) {
        if (!this.classes) return;
        const all = [...new Set([this.outlines.lesion || 'Tumor', 'Exclude', ...names])].filter(Boolean);
        if (!all.includes(this.name())) all.push(this.name());
        this.classes.replaceChildren(choice('class', [...all.map((name) => [name, excludes(name) ? `${name} (exclusion)` : name]), ['+', 'another …']], this.name(), (name) => {
            const wanted = name === '+' ? prompt('Class of the outlines that you draw now:') : name;
            if (wanted) view.name = wanted.trim();
            if (wanted && this.chosen !== null) this.outlines.rename(this.chosen, view.name);
            this.fillClasses(names);
        }));
    }

    /* The outlines, or what is shown of them, changed. */
    drawn() {
        const list = this.outlines.outlines();
        if (this.chosen !== null && !list.some((one) => one.index === this.chosen)) this.chosen = null;
        for (const pane of this.panes || []) pane.draw(list, this.chosen);
        this.maps.dataset.outlines = list.length;
        this.maps.dataset.etag = this.outlines.busy ? '' : this.outlines.etag || '';
        if (this.outlineBox) this.fillOutlines(list);
    }

    fillOutlines(list) {
        const {outlines, chosen} = this;
        this.fillClasses(list.map((one) => one.name));
        const lesions = list.filter((one) => !excludes(one.name)).length;
        const words = list.length ? `${lesions} outlined, ${list.length - lesions} excluded` : outlines.there ? 'Somebody looked: nothing here.' : 'Nobody has outlined this slide.';
        const state = outlines.busy ? 'saving …' : outlines.failed ? 'not saved' : outlines.there ? 'saved' : '';
        this.outlineBox.replaceChildren(...[element('h2', {}, 'Outlines'), element('p', {}, words, ' ', element('span.hint.state', {}, state)),
            !cohort.readOnly && element('p', {}, element('button.nothing', {disabled: Boolean(list.length) || outlines.there, onclick: () => outlines.nothing(),
                title: 'the whole slide was looked at, and no lesion is on it'}, 'Negative: nothing here'),
            element('button', {disabled: chosen === null, onclick: () => outlines.reshape(chosen, null), title: 'Delete'}, 'Remove chosen')),
            outlines.from && element('p.hint', {}, `Shown from ${outlines.from}. What you draw is saved as ${outlines.file}, which the table then names.`),
            ...(outlines.warnings || []).map((warning) => element('p.warning', {}, warning))].filter(Boolean));
    }

    saved() {
        this.drawn();
        this.train.saved();
    }

    /* -- keys -- */
    key(event) {
        if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === 'z' && !cohort.readOnly) {
            event.shiftKey ? this.outlines.redo() : this.outlines.undo();
            event.preventDefault();
            return;
        }
        if (typing(event)) return;
        if (event.key === ' ') this.drawing.setSpace(true);
        else if (this.drawing.key(event)) return event.preventDefault();
        else if (!this.shortcut(event.key)) return;
        event.preventDefault();
    }

    shortcut(key) {
        const map = this.panes[0].map, tool = !cohort.readOnly && tools.find((one) => one[2] === key.toLowerCase());
        const toggles = {h: 'shown', g: 'grid', o: 'outlines', t: 'tissue'}, steps = {ArrowLeft: [-120, 0], ArrowRight: [120, 0], ArrowUp: [0, -120], ArrowDown: [0, 120]};
        if (tool) this.drawing.take(tool[0]);
        else if (toggles[key]) {
            view[toggles[key]] = !view[toggles[key]];
            this.restyle();
            this.fill();
        } else if (steps[key]) map.panBy(steps[key]);
        else if (key === '+' || key === '=') map.zoomIn();
        else if (key === '-') map.zoomOut();
        else if (key === '0') map.fitBounds([at(0, 0), at(this.info.width, this.info.height)]);
        else if (key === 'Delete' && this.chosen !== null && !cohort.readOnly) this.outlines.reshape(this.chosen, null);
        else if (key === 'Enter') this.train.ask();
        else if (key === 'n' || key === 'N') this.neighbour(key === 'n' ? 1 : -1);
        else if (key === 'Escape') location.hash = '';
        else return false;
        return true;
    }

    neighbour(step) {
        const ids = cohort.slides.map((slide) => slide.id), i = ids.indexOf(this.info.id);
        location.hash = 'slide/' + encodeURIComponent(ids[(i + step + ids.length) % ids.length]);
    }
}

/* Gives what ends it. */
export function showSlide(main, id, place) {
    let page = null, gone = false;
    main.className = '';
    main.replaceChildren(element('p.hint', {}, 'Opening the slide …'));
    (async () => {
        try {
            const [info, patches] = await Promise.all([api.slide(id), api.patches(id).catch(() => null)]);
            if (!gone) page = new SlidePage(main, info, patches, place);
        } catch (error) {
            if (!gone) main.replaceChildren(element('p.bad', {}, error.message), element('p', {}, element('a', {href: '#'}, 'All slides')));
        }
    })();
    return () => {
        gone = true;
        if (page) page.remove();
    };
}
