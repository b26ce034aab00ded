// What stands beside an item: the instructions, the rubric of the schema in force, and its examples. All of it is text.

import { element, textOf } from "./dom.js";

const SHORT = 400;

/** Build the guide of a queue: short instructions, and a fold with everything that is longer; nothing where there is none. */
export function buildGuide(queue, isOpen) {
  const schema = queue.schema ?? {};
  const parts = [];
  const isShort = queue.instructions.length <= SHORT;
  const instructions = queue.instructions ? [text(queue.instructions)] : [];
  if (!isShort) parts.push(element("h3", { text: "Instructions" }), ...instructions);
  if (schema.rubric) parts.push(element("h3", { text: `Rubric, version ${schema.number}` }), text(schema.rubric));
  if (schema.examples?.length) parts.push(element("h3", { text: "Examples" }), ...schema.examples.map(example));
  const title = isShort ? "Rubric and examples" : "Instructions and rubric";
  const fold = element("details", { class: "pr-guide", open: isOpen }, element("summary", { text: title }), ...parts);
  return [...(isShort ? instructions : []), ...(parts.length ? [fold] : [])];
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
