// SPDX-License-Identifier: Apache-2.0
// Extras of a page: print it whole, say that a table scrolls, enlarge a picture. Everything can be read without them.
'use strict';

// Folded parts are printed, too.
let unfolded = [];
addEventListener('beforeprint', () => {
    unfolded = [...document.querySelectorAll('details:not([open])')];
    for (const part of unfolded) part.open = true;
});
addEventListener('afterprint', () => {
    for (const part of unfolded) part.open = false;
});

// Says so where a table is wider than its space.
const watch = new ResizeObserver((entries) => {
    for (const { target } of entries) target.previousElementSibling.classList.toggle('wide', target.scrollWidth > target.clientWidth + 1);
});
for (const table of document.querySelectorAll('.scroll')) watch.observe(table);

// A picture that fills the window: wheel, pinch, buttons or + and − zoom; dragging and arrow keys move it.
function enlarge(button) {
    const picture = button.querySelector('img'), viewer = document.createElement('dialog');
    viewer.className = 'viewer';
    viewer.setAttribute('aria-label', picture.alt);
    viewer.innerHTML = '<div class="stage"></div><form method="dialog"><p></p><button type="button" data-by="1.5" aria-label="Larger">+</button>' +
        '<button type="button" data-by="0.6667" aria-label="Smaller">−</button><button type="button" data-by="0">Whole</button><button>Close</button></form>';
    const stage = viewer.querySelector('.stage'), shown = new Image(picture.naturalWidth, picture.naturalHeight);
    shown.src = picture.src;
    shown.alt = picture.alt;
    shown.draggable = false;
    stage.append(shown);
    viewer.querySelector('p').textContent = button.parentElement.querySelector('figcaption')?.textContent ?? picture.alt;
    let scale = 1, x = 0, y = 0;
    const place = () => { shown.style.transform = `translate(${x}px, ${y}px) scale(${scale})`; };
    const fit = () => {
        scale = Math.min(stage.clientWidth / picture.naturalWidth, stage.clientHeight / picture.naturalHeight);
        x = (stage.clientWidth - scale * picture.naturalWidth) / 2;
        y = (stage.clientHeight - scale * picture.naturalHeight) / 2;
        place();
    };
    const zoom = (by, px = stage.clientWidth / 2, py = stage.clientHeight / 2) => {
        const to = Math.min(Math.max(scale * by, 0.1), 16);
        x = px - (px - x) * to / scale;
        y = py - (py - y) * to / scale;
        scale = to;
        place();
    };
    const move = (dx, dy) => { x += dx; y += dy; place(); };
    viewer.addEventListener('click', (event) => {
        const by = event.target.dataset.by;
        if (by === '0') fit();
        else if (by) zoom(Number(by));
    });
    stage.addEventListener('wheel', (event) => {
        event.preventDefault();
        zoom(Math.exp(-event.deltaY / 400), event.clientX, event.clientY);
    }, { passive: false });
    const pointers = new Map();
    stage.addEventListener('pointerdown', (event) => { pointers.set(event.pointerId, event); stage.setPointerCapture(event.pointerId); });
    stage.addEventListener('pointermove', (event) => {
        const before = pointers.get(event.pointerId);
        if (!before) return;
        pointers.set(event.pointerId, event);
        const other = [...pointers.values()].find((one) => one.pointerId !== event.pointerId);
        if (!other) return move(event.clientX - before.clientX, event.clientY - before.clientY);
        const apart = (one) => Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY);
        zoom(apart(event) / Math.max(apart(before), 1), (event.clientX + other.clientX) / 2, (event.clientY + other.clientY) / 2);
    });
    for (const end of ['pointerup', 'pointercancel']) stage.addEventListener(end, (event) => pointers.delete(event.pointerId));
    const keys = { '+': () => zoom(1.5), '=': () => zoom(1.5), '-': () => zoom(1 / 1.5), 0: fit, ArrowLeft: () => move(60, 0), ArrowRight: () => move(-60, 0), ArrowUp: () => move(0, 60), ArrowDown: () => move(0, -60) };
    viewer.addEventListener('keydown', (event) => { if (keys[event.key]) { event.preventDefault(); keys[event.key](); } });
    viewer.addEventListener('close', () => { viewer.remove(); button.focus(); });
    document.body.append(viewer);
    viewer.showModal();
    fit();
}
addEventListener('click', (event) => {
    const button = event.target.closest('.zoom');
    if (button) enlarge(button);
});
