// Dialogs over the card: one's own decisions, and the keys. The browser keeps the focus in them and closes them with Esc.

import { call, isSuccess, sentence } from "./connection.js";
import { element, textOf } from "./dom.js";

const PAGE = 25;

function open(parent, title, ...contents) {
  const close = element("button", { type: "button", text: "Close" });
  const heading = element("h2", { text: title, id: "pr-dialog-title" });
  const dialog = element("dialog", { class: "pr-dialog", "aria-labelledby": heading.id }, heading, ...contents, close);
  close.addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => dialog.remove());
  parent.append(dialog);
  dialog.showModal();
  return dialog;
}

/** Show the keys: pairs of a key and what it does. */
export function showKeys(parent, keys) {
  const rows = keys.map(([key, text]) => element("tr", {}, element("td", {}, element("kbd", { text: key })), element("td", { text })));
  open(parent, "Keys", element("table", { class: "pr-keys" }, element("tbody", {}, ...rows)));
}

/** Show the reviewer's own decisions in a queue, the newest first; `undo(id)` is called for one that can be undone. */
export function showHistory(parent, queue, labels, undo) {
  const list = element("ol", { class: "pr-history" });
  const status = element("p", { role: "status", text: "Loading…" });
  const more = element("button", { type: "button", text: "Show more", hidden: true });
  const dialog = open(parent, "Your decisions", list, status, more);
  let cursor = null;
  const load = async () => {
    const query = `queue=${encodeURIComponent(queue)}&limit=${PAGE}${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ""}`;
    const answer = await call("GET", `/me/decisions?${query}`);
    if (!isSuccess(answer.status)) {
      status.textContent = sentence(answer);
      return;
    }
    cursor = answer.body.next_cursor;
    more.hidden = !cursor;
    list.append(...answer.body.items.map((decision) => row(decision, labels, () => (dialog.close(), undo(decision.id)))));
    status.textContent = list.children.length ? "" : "You have decided nothing here yet.";
  };
  more.addEventListener("click", load);
  load();
}

function row(decision, labels, undo) {
  const name = [decision.case, decision.beginning].filter(Boolean).join(" · ") || decision.source;
  const head = element("p", { dir: "auto" }, element("strong", { text: labels.get(decision.decision) ?? decision.decision }), ` ${name} · `);
  head.append(element("time", { datetime: decision.at, text: new Date(decision.at).toLocaleString() }));
  const node = element("li", {}, head);
  for (const [name, value] of Object.entries(decision.labels ?? {})) node.append(detail(name, value));
  if (decision.comment) node.append(element("p", { class: "pr-text", dir: "auto", text: decision.comment }));
  if (decision.correction) node.append(detail("Corrected output", decision.correction));
  for (const [name, value] of Object.entries(decision.revealed ?? {})) if (value !== null) node.append(detail(name, value));
  for (const other of decision.others ?? []) {
    const label = labels.get(other.decision) ?? other.decision;
    node.append(detail("Another reviewer", other.comment ? `${label}: ${other.comment}` : label));
  }
  if (new Date(decision.undo_until) > new Date()) {
    node.append(element("button", { type: "button", class: "pr-small", text: "Undo", "aria-label": `Undo the decision on ${name}`, on: { click: undo } }));
  }
  return node;
}

const detail = (name, value) => element("p", { class: "pr-detail" }, element("span", { class: "pr-name", text: `${name}: ` }), textOf(value));
