// Builds elements. Texts become text nodes, never markup.

/** Build an element: `options` has `class`, `text`, `on` (listeners by event), `data` and any attribute. */
export function element(tag, options = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "class") node.className = value;
    else if (name === "text") node.textContent = value;
    else if (name === "on") for (const [event, listener] of Object.entries(value)) node.addEventListener(event, listener);
    else if (name === "data") Object.assign(node.dataset, value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

/** Return whether keys that are pressed on an element are typed into it. */
export function isTextField(target) {
  if (!(target instanceof Element)) return false;
  const field = target.closest("input, textarea, select, [contenteditable]");
  return field !== null && !["radio", "checkbox", "button", "submit", "reset"].includes(field.type);
}

/** Return the text of a value: a text as it is, anything else as indented JSON. */
export function textOf(value) {
  return typeof value === "string" ? value : JSON.stringify(value, null, 2);
}
