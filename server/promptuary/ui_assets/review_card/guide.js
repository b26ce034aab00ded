// What stands beside an item: the instructions, the rubric of the schema in force, and its examples. All of it is text.

import { element, textOf } from "./dom.js";

/** Build the guide of a queue; null where the queue has none. */
export function buildGuide(queue, isOpen) {
  const schema = queue.schema ?? {};
  const parts = [];
  if (queue.instructions) parts.push(element("h3", { text: "Instructions" }), text(queue.instructions));
  if (schema.rubric) parts.push(element("h3", { text: `Rubric, version ${schema.number}` }), text(schema.rubric));
  if (schema.examples?.length) parts.push(element("h3", { text: "Examples" }), ...schema.examples.map(example));
  if (!parts.length) return null;
  return element("details", { class: "pr-guide", open: isOpen }, element("summary", { text: "Instructions and rubric" }), ...parts);
}

function example(value, place) {
  const node = element("section", { class: "pr-example", "aria-label": `Example ${place + 1}` });
  if (value === null || typeof value !== "object") return node.append(text(textOf(value))), node;
  for (const [name, part] of Object.entries(value)) {
    if (part === null || part === "") continue;
    node.append(element("h4", { text: name.replaceAll("_", " ") }), text(textOf(part)));
  }
  return node;
}

const text = (content) => element("div", { class: "pr-text", dir: "auto", text: content });
