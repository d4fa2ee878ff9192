/* SPDX-License-Identifier: Apache-2.0 */
/* DOM elements from code: text is always set as text, so that no name of a slide or class can become markup. */

/* element("button.main", {title: "…", onclick: f}, "text", child …): tag, classes, attributes or listeners, children. */
export function element(what, attributes, ...children) {
    const [tag, ...classes] = what.split('.');
    const made = document.createElement(tag || 'div');
    made.classList.add(...classes);
    for (const [name, value] of Object.entries(attributes || {})) {
        if (name.startsWith('on')) made.addEventListener(name.slice(2), value);
        else if (name === 'class') made.classList.add(...value.split(' ').filter(Boolean));
        else if (name === 'value' || name === 'checked' || name === 'disabled') made[name] = value;
        else if (value !== undefined && value !== null && value !== false) made.setAttribute(name, value === true ? '' : value);
    }
    made.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
    return made;
}

/* A list to choose from: [value, text] … */
export function choice(label, options, value, onchange) {
    const select = element('select', {'aria-label': label, onchange: () => onchange(select.value)},
        options.map(([name, text]) => element('option', {value: name}, text)));
    select.value = value;
    return select;
}

const bar = document.getElementById('message');
let timer;
/* One line at the top. buttons: [text, action] … keep it until one is pressed. */
export function say(text, kind = '', buttons = []) {
    clearTimeout(timer);
    bar.className = kind;
    bar.replaceChildren(text, ...buttons.map(([name, action]) => element('button', {onclick: () => {
        say('');
        action();
    }}, name)));
    if (text && !buttons.length) timer = setTimeout(() => say(''), kind === 'bad' ? 12000 : 4000);
}

export function number(value, digits = 2) {
    return value === null || value === undefined || Number.isNaN(value) ? '–' : value.toFixed(digits).replace('-', '−');
}

/* Does a key belong to the focused control, a dialog or the browser? If so, it is not a shortcut of the page. */
export function taken(event) {
    const at = (which) => event.target.closest(which) !== null;
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector('dialog[open]')) return true;
    if (at('input[type=text], input[type=search], textarea, select')) return true;
    if (at('input[type=range]') && /^(Arrow|Home|End|Page)/.test(event.key)) return true;
    return event.key === ' ' ? at('button, input[type=checkbox], a') : event.key === 'Enter' && at('button, a');
}

/* After a click no control keeps the focus, so that the next key is a shortcut again. Keyboard users keep the focus. */
document.addEventListener('click', (event) => {
    const control = event.detail > 0 && event.target.closest('button, input[type=checkbox], input[type=range]');
    if (control) control.blur();
});

/* In front of the page until closed; submitting a form in it closes it. Returns the dialog. */
export function dialog(title, ...content) {
    const before = document.activeElement;
    const box = element('dialog', {'aria-label': title, onclose: () => {
        box.remove();
        if (before) before.focus();
    }}, element('h2', {}, title), ...content);
    document.body.append(box);
    box.showModal();
    return box;
}

/* Asks for one line of text; null: cancelled. */
export function askText(title, label) {
    return new Promise((given) => {
        const field = element('input', {type: 'text', 'aria-label': label, placeholder: label, maxlength: 200});
        const box = dialog(title, element('form', {method: 'dialog'}, field, element('p.buttons', {},
            element('button.main', {value: 'yes'}, 'OK'), element('button', {type: 'button', onclick: () => box.close('')}, 'Cancel'))));
        box.addEventListener('close', () => given(box.returnValue === 'yes' && field.value.trim() ? field.value.trim() : null));
    });
}
