// Parts of an output that a reviewer marks by selecting them: offsets count characters (code points), the end is excluded.

import { element } from "./dom.js";
import { textNodes } from "./item.js";

/** Return the selected part of an element's text as `{start, end}`, null where nothing of it is selected. */
export function selectedSpan(node) {
  const selection = getSelection();
  if (!selection.rangeCount || selection.isCollapsed) return null;
  const range = selection.getRangeAt(0);
  if (!node.contains(range.startContainer) || !node.contains(range.endContainer)) return null;
  const start = offset(node, range.startContainer, range.startOffset);
  const end = offset(node, range.endContainer, range.endOffset);
  return end > start ? { start, end } : null;
}

/** Return the text of an element as it was sent, with its hidden characters. */
export function rawText(node) {
  let result = "";
  for (const child of node.childNodes) {
    if (child.nodeType === Node.TEXT_NODE) result += child.data;
    else if (child.dataset?.raw !== undefined) result += child.dataset.raw;
    else result += rawText(child);
  }
  return result;
}

/** Mark the spans in an element's text; overlapping ones are drawn one inside the other's end. */
export function drawSpans(node, spans) {
  const characters = Array.from(rawText(node));
  const cuts = [...new Set([0, characters.length, ...spans.flatMap((span) => [span.start, span.end])])].sort((a, b) => a - b);
  const parts = [];
  for (let place = 0; place + 1 < cuts.length; place += 1) {
    const [from, to] = [cuts[place], cuts[place + 1]];
    const nodes = textNodes(characters.slice(from, to).join(""));
    const labels = spans.filter((span) => span.start <= from && span.end >= to).map((span) => span.label ?? "");
    parts.push(...(labels.length ? [element("mark", { title: labels.filter(Boolean).join(", ") }, ...nodes)] : nodes));
  }
  node.replaceChildren(...parts);
}

/** Return the number of characters before a place in the page. */
function offset(root, container, place) {
  const range = document.createRange();
  range.selectNodeContents(root);
  range.setEnd(container, place);
  return Array.from(rawText(range.cloneContents())).length;
}
