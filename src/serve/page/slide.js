/* SPDX-License-Identifier: Apache-2.0 */
/* One slide: the map, its layers, the tools, the loop. */
import * as api from './api.js';
import {cohort, find, hear, suggestions} from './cohort.js';
import {choice, element, number, say, taken} from './dom.js';
import {Drawing, tools} from './draw.js';
import {excludes, Outlines} from './outlines.js';
import {classChoice, outlineList, summary} from './outline-list.js';
import {Pane} from './pane.js';
import {said, truth} from './table.js';
import {trainPanel} from './train.js';
import {at, move, resize} from './viewer.js';

/* Settings kept from slide to slide. */
const view = {heat: null, second: '', by: 'attention', opacity: 0.55, shown: true, grid: false, outlines: true, tissue: false, name: '', radius: 24};

class SlidePage {
    constructor(main, info, patches, place) {
        Object.assign(this, {info, patches, chosen: null, tool: 'move', panes: [], drawings: []});
        this.maps = element('.maps');
        this.side = element('aside.side', {'aria-label': 'this slide'});
        main.className = 'slide';
        main.replaceChildren(element('.stage', {}, this.toolbar(), this.maps, this.strip = element(patches ? '.strip' : '.strip.none')), this.side);
        this.outlines = new Outlines(info.id, () => this.drawn(), () => this.saved());
        this.addPane();
        this.train = trainPanel(this);
        if (place) this.panes[0].go(place[0], place[1], patches ? patches.side : 224);
        this.fill();
        this.restyle();
        this.setSecond(view.second);
        this.showHeat();
        this.outlines.load().catch((error) => say(error.message, 'bad'));
        this.ends = [
            hear('outlines', (ids) => ids.includes(info.id) && this.outlines.look().catch((error) => say(error.message, 'bad'))),
            hear('overview', () => this.fillFacts()),
            hear('trained', () => this.trained()),
            hear('kept', () => this.kept()),
        ];
        this.listener = (event) => this.key(event);
        this.released = (event) => event.key === ' ' && this.each((drawing) => drawing.setSpace(false));
        document.addEventListener('keydown', this.listener);
        document.addEventListener('keyup', this.released);
    }

    remove() {
        document.removeEventListener('keydown', this.listener);
        document.removeEventListener('keyup', this.released);
        for (const end of this.ends) end();
        if (this.together) this.together();
        this.train.remove();
        while (this.panes.length) this.removePane();
    }

    /* -- panes: each can be drawn on -- */
    addPane() {
        const pane = new Pane(this.maps, this.info, this.patches, view, (i) => this.hover(i));
        this.panes.push(pane);
        this.drawings.push(new Drawing(pane.map, this));
        this.drawings.at(-1).take(this.tool);
    }

    removePane() {
        this.drawings.pop().remove();
        this.panes.pop().remove();
    }

    each(act) {
        for (const drawing of this.drawings) act(drawing);
    }

    hover(i) {
        for (const pane of this.panes) pane.tell(i, this.tool === 'move');
    }

    show(geometry) {
        this.panes[0].goTo(geometry);
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
        if (this.panes[1] && !view.second) this.removePane();
        resize(this.panes[0].map, () => this.maps.classList.toggle('two', view.second !== ''));
        if (view.second && !this.panes[1]) this.addPane();
        if (!this.panes[1]) return;
        this.together = move(this.panes[0].map, this.panes[1].map);
        this.panes[1].show(view.second);
        this.restyle();
    }

    showStrip() {
        const {heat} = this.panes[0], {patches} = this;
        if (!heat || !patches) {
            this.strip.replaceChildren();
            return;
        }
        this.strip.replaceChildren(...heat.top.filter((i, rank) => rank < 4 || heat.relative[i] >= 0.1).slice(0, 16).map((i) => element('button', {
            title: `${number(heat.relative[i])} × mean attention: go there`,
            onclick: () => {
                this.panes[0].go(patches.x[i] + patches.side / 2, patches.y[i] + patches.side / 2, patches.side);
                this.hover(i);
            },
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
        if (this.panes[1]) this.panes[1].show(view.second);
        await this.showHeat();
    }

    restyle() {
        for (const pane of this.panes) pane.restyle();
        this.side.querySelector('.tissue').hidden = !view.tissue;
        this.drawn();
    }

    /* -- the side -- */
    tick(member, text, title) {
        const box = element('input', {type: 'checkbox', checked: view[member], onchange: () => {
            view[member] = box.checked;
            this.restyle();
        }});
        return element('label', {title}, box, text);
    }

    fill() {
        const heats = cohort.heats.map((one) => [one.name, one.title]), {patches} = this;
        const opacity = element('input', {type: 'range', min: 0, max: 1, step: 0.05, 'aria-label': 'opacity', oninput: () => {
            view.opacity = Number(opacity.value);
            this.restyle();
        }});
        opacity.value = view.opacity;
        this.side.replaceChildren(
            this.facts = element('section.facts'),
            heats.length && patches ? element('section', {}, element('h2', {}, 'Heat map'),
                choice('heat map', heats, this.heatName, (name) => {
                    view.heat = name;
                    this.showHeat();
                }),
                element('label', {}, 'beside it', choice('second heat map', [['', 'nothing'], ...heats], view.second, (name) => this.setSecond(name))),
                element('label', {}, 'colours', choice('colours', [['attention', 'attention'], ['score', 'score']], view.by, (by) => {
                    view.by = by;
                    this.showHeat();
                    if (this.panes[1]) this.panes[1].show(view.second);
                })),
                element('label', {}, 'opacity', opacity)) : '',
            element('section.shown', {}, element('h2', {}, 'Show'), heats.length && patches ? this.tick('shown', 'heat map (H)') : null,
                patches ? this.tick('grid', 'patch grid (G)') : null, this.tick('outlines', 'outlines (O)'),
                this.tick('tissue', 'tissue mask (T)'),
                element('p.hint.tissue', {hidden: !view.tissue}, element('span.swatch.tissue'), ' tissue ', element('span.swatch.out'), ' left out')),
            this.outlineBox = element('section.outlines'), this.train.box, this.nextBox = element('section.next'));
        this.fillFacts();
        this.fillNext();
        this.drawn();
    }

    fillFacts() {
        const slide = find(this.info.id) || {said: {}}, {info, patches} = this;
        const facts = [`${info.width} × ${info.height} px`, info.mpp ? `${info.mpp.toFixed(3)} µm/px` : 'resolution unknown',
            patches ? `${patches.x.length} patches` : 'no features yet: “rankmil run” makes them'];
        this.facts.replaceChildren(element('h2', {}, 'Slide'), element('p.marks', {}, truth(slide), slide.split ? element('span.chip.set', {}, slide.split) : null),
            ...cohort.methods.map((method) => said(slide, method)).filter(Boolean), element('p.hint', {}, facts.join(' · ')),
            slide.problem ? element('p.problem', {}, slide.problem) : '');
    }

    async fillNext() {
        const box = this.nextBox, list = cohort.readOnly ? [] : await suggestions(), own = list.find((one) => one.id === this.info.id);
        const other = list.find((one) => one.id !== this.info.id);
        if (box !== this.nextBox || !other) return;
        box.replaceChildren(element('h2', {}, 'Outline next'), own ? element('p.hint', {}, `This one: ${own.reason}.`) : '',
            element('p', {}, element('a', {href: other.address}, other.id), element('span.hint', {}, ` ${other.reason}.`)));
    }

    /* -- outlines -- */
    name() {
        return view.name || this.outlines.lesion || 'Tumor';
    }

    classNames() {
        return [this.outlines.lesion || 'Tumor', 'Exclude', ...this.outlines.outlines().map((one) => one.name), view.name];
    }

    choose(index) {
        this.chosen = index;
        this.drawn();
    }

    takeTool(name) {
        this.tool = name;
        this.each((drawing) => drawing.take(name));
        for (const button of this.tools.querySelectorAll('button[data-tool]')) button.setAttribute('aria-pressed', button.dataset.tool === name);
        this.size.hidden = name !== 'brush' && name !== 'eraser';
    }

    /* Of brush and eraser, in screen px. */
    get radius() {
        return view.radius;
    }

    resize(radius) {
        view.radius = Math.min(Math.max(radius, 3), 200);
        this.size.querySelector('input').value = view.radius;
        this.each((drawing) => drawing.resized());
    }

    toolbar() {
        const size = element('input', {type: 'range', min: 3, max: 200, 'aria-label': 'brush size', oninput: () => this.resize(Number(size.value))});
        size.value = view.radius;
        this.size = element('label', {title: '+ and −', hidden: true}, 'size', size);
        return this.tools = element('.toolbar', {role: 'toolbar', 'aria-label': 'tools', hidden: cohort.readOnly},
            tools.map(([name, text, key, hint]) => element('button', {'data-tool': name, 'aria-pressed': String(name === 'move'), title: `${hint} (${key.toUpperCase()})`,
                onclick: () => this.takeTool(name)}, text)),
            this.size, this.classes = element('label', {}, 'as'),
            this.undoButton = element('button.undo', {title: 'undo (Ctrl+Z)', onclick: () => this.outlines.undo()}, 'Undo'),
            this.redoButton = element('button.redo', {title: 'redo (Ctrl+Shift+Z)', onclick: () => this.outlines.redo()}, 'Redo'));
    }

    /* The outlines, or the way they are shown, have changed. */
    drawn() {
        const {outlines} = this, list = outlines.outlines();
        if (this.chosen !== null && !list.some((one) => one.index === this.chosen)) this.chosen = null;
        for (const pane of this.panes) pane.draw(list, this.chosen);
        this.maps.dataset.outlines = list.length;
        this.maps.dataset.etag = outlines.busy ? '' : outlines.etag || '';
        this.undoButton.disabled = !outlines.done.length;
        this.redoButton.disabled = !outlines.undone.length;
        this.fillClasses();
        if (this.outlineBox) this.fillOutlines(list);
    }

    fillClasses() {
        const names = this.classNames(), now = JSON.stringify([names, this.name()]);
        if (now === this.classesNow) return; /* leaves an open list alone */
        this.classesNow = now;
        this.classes.replaceChildren('as', classChoice('class to draw', names, this.name(), (name) => {
            view.name = name;
            this.drawn();
        }));
    }

    fillOutlines(list) {
        const {outlines} = this, there = outlines.there, held = document.activeElement.closest('.one');
        const state = outlines.unreadable ? '' : outlines.busy ? 'saving …' : outlines.failed ? 'not saved' : there ? 'saved' : '';
        this.outlineBox.replaceChildren(...[element('h2', {}, 'Outlines'), element('p', {}, outlines.unreadable && !list.length ? '' : summary(list, there), ' ', element('span.hint.state', {}, state)),
            outlineList(this, list),
            outlines.unreadable && element('p.bad', {}, outlines.unreadable),
            this.teachesNothing(list) && element('p.warning', {}, 'The table says that this slide has no lesion, so its outlines are not used for training.'),
            !cohort.readOnly && !list.length && !outlines.unreadable && element('p', {}, element('button.nothing', {disabled: there, onclick: () => outlines.nothing(),
                title: 'someone looked at the whole slide, and it has no lesion'}, 'Negative: nothing here')),
            outlines.from && element('p.hint', {}, `Read from ${outlines.from}.`, cohort.readOnly ? '' : ` Your changes are saved to ${outlines.file}, and the table then names that file.`),
            ...(outlines.warnings || []).map((warning) => element('p.warning', {}, warning))].filter(Boolean));
        const again = held && this.outlineBox.querySelector(`.one[data-index="${held.dataset.index}"]`);
        if (again) again.focus();
    }

    /* Lesions were outlined on a slide of the class without lesions. */
    teachesNothing(list) {
        const slide = find(this.info.id);
        return cohort.task.negative && slide && slide.class !== undefined && !slide.lesion && list.some((one) => !excludes(one.name));
    }

    saved() {
        this.drawn();
        this.train.saved();
    }

    /* -- keys -- */
    key(event) {
        if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === 'z' && !cohort.readOnly && !document.querySelector('dialog[open]')) {
            event.shiftKey ? this.outlines.redo() : this.outlines.undo();
            event.preventDefault();
            return;
        }
        if (taken(event)) return;
        if (event.key === ' ') this.each((drawing) => drawing.setSpace(true));
        else if (!this.drawings.some((drawing) => drawing.key(event)) && !this.shortcut(event.key)) return;
        event.preventDefault();
    }

    shortcut(key) {
        const map = this.panes[0].map, tool = !cohort.readOnly && tools.find((one) => one[2] === key.toLowerCase());
        const toggles = {h: 'shown', g: 'grid', o: 'outlines', t: 'tissue'}, steps = {ArrowLeft: [-120, 0], ArrowRight: [120, 0], ArrowUp: [0, -120], ArrowDown: [0, 120]};
        const toggle = toggles[key.toLowerCase()];
        if (tool) this.takeTool(tool[0]);
        else if (toggle) {
            view[toggle] = !view[toggle];
            this.restyle();
            this.fill();
        } else if (steps[key]) map.panBy(steps[key]);
        else if (key === '+' || key === '=') map.zoomIn();
        else if (key === '-') map.zoomOut();
        else if (key === '0') map.fitBounds([at(0, 0), at(this.info.width, this.info.height)]);
        else if (key === 'Delete' && this.chosen !== null && !cohort.readOnly) this.outlines.reshape(this.chosen, null);
        else if (key === 'Enter') this.train.ask();
        else if (key === 'Escape' && this.chosen !== null) this.choose(null);
        else if (key === 'Escape') location.hash = '';
        else return false;
        return true;
    }
}

/* Returns a function that closes the view. */
export function showSlide(main, id, place) {
    let page = null, gone = false;
    main.className = '';
    main.replaceChildren(element('p.hint', {}, 'Opening the slide …'));
    (async () => {
        try {
            const info = await api.slide(id), patches = info.features ? await api.patches(id) : null;
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
