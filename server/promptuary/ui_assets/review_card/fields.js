// The fields of a queue's label schema, as controls of the browser's own.

import { element } from "./dom.js";
import { drawSpans, selectedSpan, rawText } from "./spans.js";

const COUNTED = { choices: "options", text: "characters", tags: "tags", spans: "parts" };
const SIDES = [["left", "Left"], ["right", "Right"], ["tie", "Tie"]];
/** The keys of a pair's options in their order. */
const SIDE_KEYS = ["1", "2", "3"];

export class Fields {
  /** `onChange` is called after every change of a value. */
  constructor(onChange) {
    this.onChange = onChange;
    this.node = element("div", { class: "pr-fields" });
    this.fields = [];
    this.controls = new Map();
  }

  /** Build the controls of a schema's fields for an item; `output` is the element whose text spans are marked in. */
  build(fields, values, output) {
    this.fields = fields;
    this.controls.clear();
    this.node.replaceChildren();
    for (const field of fields) {
      const control = (BUILDERS[field.type] ?? buildText)(field, values?.[field.name], { output, changed: () => this.change(field.name) });
      const problem = element("p", { class: "pr-problem", id: `pr-problem-${field.name}`, hidden: true });
      control.node.append(problem);
      this.controls.set(field.name, { ...control, problem });
      this.node.append(control.node);
    }
  }

  /** Return the values that were entered; a field that was left empty is not among them. */
  values() {
    const entered = [...this.controls].map(([name, control]) => [name, control.value()]);
    return Object.fromEntries(entered.filter(([, value]) => value !== undefined));
  }

  /**
   * Return the first field that is required and empty, or holds no valid value, as `{field, text, isEmpty}`; mark each such
   * field.
   */
  firstProblem() {
    let first = null;
    for (const field of this.fields) {
      const control = this.controls.get(field.name);
      const value = control.value();
      const text = value === undefined ? (field.required ? "This field is required." : "") : valueProblem(field, value);
      this.showProblem(field.name, text);
      if (text) first ??= { field, text, isEmpty: value === undefined };
    }
    return first;
  }

  /** Show the errors that the API reports for fields: each path ends with `labels.<name>…`. */
  showErrors(errors) {
    for (const { path, message } of errors) {
      const name = /(?:^|\.)labels\.([^.[]+)/.exec(path)?.[1];
      if (name && this.controls.has(name)) this.showProblem(name, message);
    }
  }

  /** Go to a field; to the group of its options, so that none of them is nearer to be taken than another. */
  focus(name) {
    const node = this.controls.get(name)?.node;
    const target = node?.querySelector("input[type=radio]") ? node : node?.querySelector("input, textarea, button");
    target?.focus();
    node?.scrollIntoView({ block: "center" });
  }

  /** Choose the option of a pair that has a key; return whether one has it. */
  press(key) {
    const input = this.sideInputs()[SIDE_KEYS.indexOf(key)];
    input?.click();
    return Boolean(input);
  }

  /** Return the keys of a pair's options with what they choose. */
  keys() {
    return this.sideInputs().map((input, place) => [SIDE_KEYS[place], input.parentElement.innerText.trim().split("\n")[0]]);
  }

  sideInputs() {
    const field = this.fields.find((candidate) => candidate.type === "preference");
    return field ? [...this.controls.get(field.name).node.querySelectorAll("input[type=radio]")].slice(0, SIDE_KEYS.length) : [];
  }

  change(name) {
    this.showProblem(name, "");
    this.onChange();
  }

  showProblem(name, text) {
    const { problem, node } = this.controls.get(name);
    problem.textContent = text;
    problem.hidden = !text;
    for (const input of node.querySelectorAll("input, textarea")) {
      input.setAttribute("aria-invalid", String(Boolean(text)));
      input.setAttribute("aria-describedby", problem.id);
    }
  }
}

/** Return what is wrong with a value that was entered: a number out of its range, or too little or too much of anything. */
function valueProblem(field, value) {
  if (!(field.type in COUNTED) && field.type !== "number") return "";
  if (field.type === "number" && !Number.isFinite(value)) return "Enter a number.";
  const amount = field.type === "number" ? value : typeof value === "string" ? Array.from(value).length : value.length;
  const noun = COUNTED[field.type] ? ` ${COUNTED[field.type]}` : "";
  if (field.minimum != null && amount < field.minimum) return `Enter at least ${field.minimum}${noun}.`;
  if (field.maximum != null && amount > field.maximum) return `Enter at most ${field.maximum}${noun}.`;
  return "";
}

const titleOf = (field) => field.title || field.name;

function group(field) {
  const legend = element("legend", { text: titleOf(field) });
  if (field.required) legend.append(element("span", { class: "pr-required", text: " (required)" }));
  return element("fieldset", { class: "pr-field", tabindex: "-1" }, legend);
}

/** Return a field's options as pairs of value and label; an ordinal one without options has the numbers of its range. */
function optionsOf(field) {
  if (field.options?.length) return field.options.map((option) => (typeof option === "object" ? [option.value, option.label ?? String(option.value)] : [option, String(option)]));
  const [low, high] = [field.minimum ?? 1, field.maximum ?? 5];
  return Array.from({ length: high - low + 1 }, (_, place) => [low + place, String(low + place)]);
}

function buildOptions(field, value, { changed }, type, options) {
  const node = group(field);
  const row = element("div", { class: "pr-options" });
  const chosen = new Set(Array.isArray(value) ? value : [value]);
  const inputs = options.map(([option, label]) => {
    const input = element("input", { type, name: `pr-${field.name}`, on: { change: changed } });
    input.checked = chosen.has(option);
    const key = field.type === "preference" ? SIDE_KEYS[row.children.length] : null;
    const shown = key ? [element("kbd", { text: key, "aria-hidden": "true" })] : [];
    row.append(element("label", { class: "pr-option" }, input, element("span", { text: label }), ...shown));
    return [input, option];
  });
  node.append(row);
  const checked = () => inputs.filter(([input]) => input.checked).map(([, option]) => option);
  return { node, checked };
}

function buildChoice(field, value, context, options = optionsOf(field)) {
  const { node, checked } = buildOptions(field, value, context, "radio", options);
  return { node, value: () => checked()[0] };
}

function buildChoices(field, value, context) {
  const { node, checked } = buildOptions(field, value ?? [], context, "checkbox", optionsOf(field));
  return { node, value: () => (checked().length ? checked() : undefined) };
}

function labelled(field, input) {
  const title = element("span", { class: "pr-title", text: titleOf(field) });
  if (field.required) title.append(element("span", { class: "pr-required", text: " (required)" }));
  return element("div", { class: "pr-field" }, element("label", {}, title, input));
}

function buildNumber(field, value, { changed }) {
  const input = element("input", { type: "number", step: "any", min: field.minimum, max: field.maximum, on: { input: changed } });
  input.value = value ?? "";
  return { node: labelled(field, input), value: () => (input.value.trim() === "" && !input.validity.badInput ? undefined : input.valueAsNumber) };
}

function buildText(field, value, { changed }) {
  const limit = field.maximum == null ? null : element("p", { class: "pr-hint", id: `pr-limit-${field.name}` });
  const count = () => {
    if (limit) limit.textContent = `${Array.from(input.value.trim()).length} of at most ${field.maximum} characters`;
  };
  const input = element("textarea", { rows: 2, "aria-describedby": limit?.id, on: { input: () => (count(), changed()) } });
  input.value = value ?? "";
  count();
  const node = labelled(field, input);
  if (limit) node.append(limit);
  return { node, value: () => input.value.trim() || undefined };
}

function buildTags(field, value, { changed }) {
  const list = `pr-tags-${field.name}`;
  const input = element("input", { type: "text", placeholder: "separated by commas", list: field.options?.length ? list : null, on: { input: changed } });
  input.value = (value ?? []).join(", ");
  const node = labelled(field, input);
  if (field.options?.length) node.append(element("datalist", { id: list }, ...optionsOf(field).map(([option]) => element("option", { value: option }))));
  const tags = () => [...new Set(input.value.split(",").map((tag) => tag.trim()).filter(Boolean))];
  return { node, value: () => (tags().length ? tags() : undefined) };
}

function buildSpans(field, value, { output, changed }) {
  const node = group(field);
  let spans = [...(value ?? [])];
  const list = element("ul", { class: "pr-spans" });
  const draw = () => {
    if (output) drawSpans(output, spans);
    const characters = output ? Array.from(rawText(output)) : [];
    list.replaceChildren(...spans.map((span, place) => {
      const quote = characters.slice(span.start, span.end).join("");
      const remove = element("button", { type: "button", class: "pr-small", text: "Remove", "aria-label": `Remove “${quote}”`, on: { click: () => set(spans.filter((_, other) => other !== place)) } });
      return element("li", {}, element("q", { text: quote }), element("span", { text: span.label ? ` ${span.label} ` : " " }), remove);
    }));
  };
  const set = (next) => {
    spans = next;
    draw();
    changed();
  };
  const mark = (label) => {
    const span = output && selectedSpan(output);
    if (!span) return;
    getSelection().removeAllRanges();
    set([...spans, label === null ? span : { ...span, label }].sort((a, b) => a.start - b.start || a.end - b.end));
  };
  const labels = field.options?.length ? optionsOf(field) : [[null, "Mark the selection"]];
  const buttons = labels.map(([label, text]) =>
    // the selection must survive the press of the button
    element("button", { type: "button", class: "pr-small", text, on: { mousedown: (event) => event.preventDefault(), click: () => mark(label) } }),
  );
  node.append(element("p", { class: "pr-hint", text: output ? "Select a part of the output, then press a button." : "There is no output to mark." }), element("div", { class: "pr-options" }, ...buttons), list);
  draw();
  return { node, value: () => (spans.length ? spans : undefined) };
}

const BUILDERS = {
  choice: buildChoice,
  choices: buildChoices,
  ordinal: buildChoice,
  number: buildNumber,
  text: buildText,
  tags: buildTags,
  spans: buildSpans,
  preference: (field, value, context) => buildChoice(field, value, context, field.options?.length ? optionsOf(field) : SIDES),
};
