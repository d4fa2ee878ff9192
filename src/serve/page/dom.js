/* SPDX-License-Identifier: Apache-2.0 */
/* Elements made of code: text is only ever text, so that no name of a slide or a class can become markup. */

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
    made.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
    return made;
}

export function choice(label, options, value, onchange) {
    const select = element('select', {'aria-label': label, onchange: () => onchange(select.value)},
        options.map(([name, text]) => element('option', {value: name}, text)));
    select.value = value;
    return select;
}

const bar = document.getElementById('message');
let timer;
/* One line at the top. buttons: [text, action] … keeps it until one is pressed. */
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
    return value === null || value === undefined || Number.isNaN(value) ? '–' : value.toFixed(digits);
}

/* Typing in a field is no shortcut. */
export function typing(event) {
    return event.target.closest('input[type=text], input[type=search], textarea, select') !== null || event.ctrlKey || event.metaKey || event.altKey;
}
