// An item: what went in, what came out, what was expected. All of it is text.

import { element, textOf } from "./dom.js";

const SIDES = ["input", "output", "expected"];
const TITLES = { input: "Input", output: "Output", expected: "Expected", error: "Error", messages: "Messages", passages: "Passages" };
const ASIDE = ["messages", "passages"];
// Control characters, characters without width, and those that change the direction of reading.
const HIDDEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]/;

/**
 * Build an item and return `{node, marks, output}`: the marks stand at both ends of each text that is judged; `output` is
 * the element with the output's text, where there is one.
 */
export function buildItem(item) {
  const payload = item.payload ?? {};
  const node = element("div", { class: "pr-item" });
  const marks = [];
  let output = null;
  if (item.sides) {
    node.classList.add("pr-columns");
    if (payload.input !== undefined) node.append(block("Input", values(payload.input), "pr-wide"));
    for (const [side, title] of [["left", "Left"], ["right", "Right"]]) {
      const { output: text, ...rest } = item.sides[side] ?? {};
      const others = Object.entries(rest).filter(([name, part]) => name !== "prompt" && part !== null && part !== undefined);
      node.append(block(title, [...judged(text, marks), ...(others.length ? values(Object.fromEntries(others)) : [])], "pr-side"));
    }
    if (payload.expected) node.append(block("Expected", values(payload.expected), "pr-wide"));
  } else {
    const present = SIDES.filter((side) => payload[side] !== undefined && payload[side] !== null);
    for (const side of present.length ? present : Object.keys(payload)) {
      const isJudged = side === "output" || !present.includes("output");
      const contents = isJudged ? judged(payload[side], marks) : values(payload[side]);
      if (side === "output" && typeof payload.output === "string") output = contents.find((child) => child.classList.contains("pr-text"));
      node.append(block(TITLES[side] ?? side, contents, `pr-${side}`));
    }
    node.classList.add("pr-columns");
  }
  if (payload.error) node.append(block("Error", values(payload.error), "pr-wide"));
  const shown = new Set([...SIDES, "error"]);
  const rest = Object.keys(payload).filter((name) => !shown.has(name) && payload[name] != null);
  if (item.sides || SIDES.some((side) => payload[side] != null)) node.append(origin(item, payload, rest));
  return { node, marks, output };
}

function block(title, contents, className) {
  return element("section", { class: `pr-block ${className}`, "aria-label": title }, element("h3", { text: title }), ...contents);
}

/** Return a value's texts between two marks, which have to be in view before a decision counts. */
function judged(value, marks) {
  const [begin, end] = [0, 1].map(() => element("div", { class: "pr-mark", "aria-hidden": "true" }));
  marks.push(begin, end);
  return [begin, ...values(value), end];
}

function values(value) {
  if (value !== null && typeof value === "object" && !Array.isArray(value)) {
    const parts = Object.entries(value).flatMap(([name, part]) => [element("h4", { text: name }), text(part)]);
    return parts.length ? parts : [text("")];
  }
  return [text(value)];
}

function text(value) {
  const content = textOf(value ?? "");
  const node = element("div", { class: typeof value === "string" ? "pr-text" : "pr-text pr-code", dir: "auto" });
  fillText(node, content);
  if (!content) node.classList.add("pr-none");
  return node;
}

/** Fill an element with a text whose hidden characters become visible; each keeps its length for offsets. */
export function fillText(node, content) {
  node.replaceChildren(...textNodes(content));
}

export function textNodes(content) {
  if (!HIDDEN.test(content)) return [document.createTextNode(content)];
  return content.split(new RegExp(`(${HIDDEN.source})`)).filter(Boolean).map((part) => {
    if (!HIDDEN.test(part)) return document.createTextNode(part);
    const code = part.codePointAt(0).toString(16).toUpperCase().padStart(4, "0");
    return element("span", { class: "pr-hidden", title: "a character that is not visible", text: `U+${code}`, data: { raw: part } });
  });
}

function origin(item, payload, names) {
  const details = element("details", { class: "pr-origin pr-wide" }, element("summary", { text: "Where this comes from" }));
  details.append(element("h4", { text: "source" }), text(item.source ?? ""));
  for (const name of [...names.filter((name) => !ASIDE.includes(name)), ...names.filter((name) => ASIDE.includes(name))]) {
    details.append(element("h4", { text: TITLES[name] ?? name }), text(payload[name]));
  }
  return details;
}
