// The review card: one item at a time, decided by a key or a button, with the next item there before the decision leaves.
// Streamlit mounts it once; the browser owns it from then on.

import { Bar } from "./bar.js";
import { showHistory, showKeys } from "./dialogs.js";
import { element } from "./dom.js";
import { Fields } from "./fields.js";
import { buildGuide } from "./guide.js";
import { buildItem } from "./item.js";
import { PressFilter, listen, ownKeys } from "./keys.js";
import { SeenWatcher } from "./seen.js";
import { Session } from "./session.js";

const cards = new WeakMap();
const SAVE = { value: "saved", label: "Save", shortcut: "A" };
/** The width of a window in which the guide stands beside the item, as the style sheet has it. */
const WIDE = 1500;

/** Mount the card, or leave it as it is where Streamlit draws the page again; return what unmounts it. */
export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".pr-root");
  const card = cards.get(root) ?? new Card(root, data);
  card.trigger = setTriggerValue;
  if (!cards.has(root)) {
    cards.set(root, card);
    styled(parentElement).then(() => card.start());
  }
  return () => {
    cards.delete(root);
    card.close();
  };
}

/** Wait for the card's style sheet, so that what is in view is what a reviewer sees. */
function styled(parent) {
  const link = parent.querySelector('link[rel="stylesheet"]');
  if (!link || link.sheet) return Promise.resolve();
  return new Promise((resolve) => ["load", "error"].forEach((event) => link.addEventListener(event, resolve, { once: true })));
}

class Card {
  constructor(root, data) {
    this.root = root;
    this.data = data;
    this.chosen = null;
    this.seenAt = null;
    this.own = {};
    this.presses = new PressFilter();
    this.seen = new SeenWatcher((at) => this.becomeDecidable(at));
    this.session = new Session(data.queue, data.reviewer, this);
    this.fields = new Fields(() => this.keepDraft());
    this.bar = new Bar({
      decide: (choice, event) => this.decide(choice, event),
      skip: (event) => this.skip("skip", event),
      defer: (event) => this.skip("defer", event),
      undo: () => this.session.undo(),
      history: () => showHistory(this.root, data.queue, this.labels, (id) => this.session.undo(id)),
      keys: () => showKeys(this.root, this.keyTable()),
      comment: () => this.keepDraft(),
    });
    this.build();
  }

  build() {
    const back = element("button", { type: "button", class: "pr-back", text: "← All queues", on: { click: () => this.leave() } });
    this.progress = element("progress", { max: 1, value: 0, "aria-label": "Your progress" });
    this.counts = element("p", { class: "pr-counts" });
    this.note = element("div", { class: "pr-note", role: "alert" });
    this.heading = element("h2", { class: "pr-heading", tabindex: "-1" });
    this.stage = element("div", { class: "pr-stage" });
    this.guide = element("aside", { class: "pr-guide-place", "aria-label": "Instructions" });
    this.live = element("div", { class: "pr-live", "aria-live": "polite" });
    const head = element("header", { class: "pr-head" }, element("h1", { text: this.data.queue }), back, this.progress, this.counts);
    const body = element("div", { class: "pr-body" }, element("div", { class: "pr-main" }, this.heading, this.stage), this.fields.node, this.guide);
    this.root.replaceChildren(head, this.note, this.live, body, this.bar.node);
    this.bar.enable(false);
  }

  start() {
    this.stopListening = listen(this.root, this);
    this.main = this.root.closest('[data-testid="stMain"]') ?? document.documentElement;
    this.sizes = new ResizeObserver(() => this.fitBar());
    this.sizes.observe(this.main);
    this.sizes.observe(this.bar.node);
    this.onLeave = () => this.session.flush();
    this.onOnline = () => this.session.outbox.hurry();
    this.onUnload = (event) => {
      if (!this.session.outbox.isEmpty) event.preventDefault();
    };
    window.addEventListener("pagehide", this.onLeave);
    window.addEventListener("online", this.onOnline);
    window.addEventListener("beforeunload", this.onUnload);
    this.session.start();
  }

  close() {
    this.session.close();
    this.seen.stop();
    this.sizes?.disconnect();
    this.stopListening?.();
    window.removeEventListener("pagehide", this.onLeave);
    window.removeEventListener("online", this.onOnline);
    window.removeEventListener("beforeunload", this.onUnload);
  }

  /** Put the bar over the bottom of the page's main part, beside the sidebar, and leave its height free under the item. */
  fitBar() {
    const { left, width } = this.main.getBoundingClientRect();
    this.bar.node.style.left = `${left}px`;
    this.bar.node.style.width = `${width}px`;
    const height = this.bar.node.offsetHeight;
    if (height === this.barHeight) return;
    this.barHeight = height;
    this.root.style.paddingBottom = `${height + 16}px`;
    this.root.style.setProperty("--pr-bar-height", `${height + 16}px`);
    this.seen.resize(height);
  }

  // What the session reports.

  showQueue(queue) {
    this.queue = queue;
    this.choices = queue.decisions.length ? queue.decisions : [SAVE];
    this.labels = new Map(this.choices.map((choice) => [choice.value, choice.label]));
    this.own = ownKeys(this.choices);
    if (!queue.undo_seconds) delete this.own.undo;
    this.bar.build(this.choices, this.own, queue.undo_seconds > 0);
    this.bar.enable(Boolean(this.session.current));
    const isOpen = this.guide.querySelector("details")?.open ?? window.innerWidth >= WIDE;
    this.guide.replaceChildren(...buildGuide(queue, isOpen));
    this.showCounts(queue);
  }

  showCounts({ counts }) {
    const total = counts.mine + counts.left;
    this.progress.value = total ? counts.mine / total : 1;
    this.counts.textContent = `${counts.mine} decided by you · ${counts.left} left for you · ${counts.decided} of ${counts.items} complete`;
  }

  /** Show an item with its draft, from its top; null while the next one is on its way. */
  showItem(claim, draft) {
    const hadFocus = this.root.contains(document.activeElement) || document.activeElement === document.body;
    this.seen.stop();
    this.seenAt = null;
    if (this.isProblem) this.clearNote();
    this.root.dataset.claim = claim?.id ?? "";
    this.root.dataset.decidable = "false";
    this.bar.enable(Boolean(claim));
    this.bar.setComment(draft?.comment ?? "");
    this.chosen = draft?.decision ?? (this.choices.length === 1 ? this.choices[0].value : null);
    this.bar.mark(this.chosen, false);
    this.correction = null;
    this.editCorrection = null;
    if (!claim) {
      this.heading.textContent = "";
      this.stage.replaceChildren(element("p", { class: "pr-wait", text: "The next item is on its way…" }));
      this.fields.build([], {}, null);
      return;
    }
    const { node, marks, output } = buildItem(claim.item);
    this.heading.textContent = "Item to decide";
    this.stage.replaceChildren(node);
    this.fields.build(this.queue.schema?.fields ?? [], draft?.labels, output);
    if (output) this.offerCorrection(output.closest(".pr-block"), claim.item.payload.output, draft?.correction ?? null);
    this.main.scrollTop = 0;
    this.seen.watch(marks, this.bar.node.offsetHeight);
    if (hadFocus) this.heading.focus({ preventScroll: true });
    this.say("Next item.");
  }

  becomeDecidable(at) {
    this.seenAt = at;
    this.root.dataset.decidable = "true";
    this.bar.mark(this.chosen, true);
    this.hint("");
  }

  showSaving(state, text, waiting) {
    this.root.dataset.saving = state;
    const retrying = `Not saved, retrying. ${text}${waiting > 1 ? ` ${waiting} decisions wait.` : ""}`;
    const shown = state === "retrying" ? retrying : "";
    if (this.bar.saving.textContent !== shown) this.bar.saving.textContent = shown;
    if (state === "retrying") this.say("Not saved, retrying.");
  }

  showStored(decision) {
    this.say(`Saved: ${this.labels.get(decision?.decision) ?? "decided"}.`);
    this.countDecision(1);
  }

  /** Show that a stored decision was taken back. */
  showUndone() {
    this.countDecision(-1);
  }

  /** Count a decision that came or went; with one slot it completes its item, else the API has to be asked. */
  countDecision(change) {
    const counts = { ...this.session.queue.counts };
    counts.mine = Math.max(0, counts.mine + change);
    counts.left = Math.max(0, counts.left - change);
    if (this.queue.slots === 1) counts.decided = Math.max(0, counts.decided + change);
    this.session.queue.counts = counts;
    this.showCounts(this.session.queue);
  }

  /** Show a note above the item, with errors at their fields, and with a comment that would be lost otherwise. */
  showNote(text, errors = [], comment = "") {
    this.isProblem = false;
    this.note.replaceChildren(element("p", { text }));
    if (comment) this.note.append(element("p", { class: "pr-hint", text: "Your comment was:" }), element("div", { class: "pr-text", text: comment }));
    this.fields.showErrors(errors);
  }

  /** Show why nothing can be shown; it disappears with the next item. */
  showProblem(text) {
    this.showNote(text);
    this.isProblem = true;
  }

  clearNote() {
    this.note.replaceChildren();
    this.isProblem = false;
  }

  /** Show why there is no item, and where there are some. */
  showEmpty({ counts }, queues) {
    this.root.dataset.claim = "";
    this.bar.enable(false);
    if (this.isProblem) this.clearNote();
    let text = "This queue has no items yet.";
    if (counts.left) text = `Other reviewers have the items that are left for you (${counts.left} open). This page looks again by itself.`;
    else if (counts.open) text = "You have decided every item here. The open ones wait for other reviewers.";
    else if (counts.items) text = "Every item here is decided.";
    const again = element("button", { type: "button", text: "Look again", on: { click: () => this.session.pump() } });
    const others = queues.filter((queue) => queue.counts.left > 0 && queue.may_decide !== false);
    const links = others.map((queue) => {
      const link = element("a", { href: `/review?queue=${encodeURIComponent(queue.name)}`, text: queue.name });
      return element("li", {}, link, ` ${queue.counts.left} left for you`);
    });
    const rest = links.length ? [element("h3", { text: "Queues with items for you" }), element("ul", {}, ...links)] : [element("p", { text: "No other queue has items for you." })];
    this.heading.textContent = "Nothing to decide here";
    this.stage.replaceChildren(element("div", { class: "pr-empty" }, element("p", { text }), again, ...rest));
    this.fields.build([], {}, null);
    this.say(text);
  }

  signIn() {
    this.session.flush();
    this.session.outbox.storage.keepOutbox(this.session.outbox.entries);
    window.removeEventListener("beforeunload", this.onUnload);
    const next = location.pathname + location.search;
    location.replace(`/sign-in?reason=ended&next=${encodeURIComponent(next)}`);
  }

  // What the reviewer does.

  isDialogOpen() {
    return document.querySelector("dialog[open], [role=dialog][aria-modal=true]") !== null;
  }

  /** Handle a key that is typed into no field; return whether it was one of the card's. */
  press(key, event) {
    const choice = this.choices?.find((candidate) => candidate.shortcut === key);
    const actions = {
      [this.own.skip]: () => this.skip("skip", event),
      [this.own.defer]: () => this.skip("defer", event),
      [this.own.undo]: () => this.session.undo(),
      [this.own.history]: () => this.bar.actions.history(),
      [this.own.comment]: () => this.bar.comment.focus(),
      [this.own.correct]: () => this.editCorrection?.(),
      "?": () => this.bar.actions.keys(),
    };
    if (!choice && !(key in actions)) return Boolean(event.repeat) || this.fields.press(key);
    if (event.repeat) return true;
    if (choice) this.decide(choice, event);
    else actions[key]();
    return true;
  }

  /** Decide with a choice; with Shift, only choose it, to send it with Ctrl+Enter. */
  decide(choice, event) {
    if (!this.presses.accepts(event) || !this.session.current) return;
    if (event.shiftKey) {
      this.choose(this.chosen === choice.value && this.choices.length > 1 ? null : choice.value);
      return;
    }
    this.submit(choice.value, event);
  }

  /** Send the chosen decision. */
  send(event) {
    if (!this.session.current || !this.presses.accepts(event)) return;
    if (this.chosen === null) {
      this.leaveField();
      this.hint("Choose a decision: your comment is sent with it.");
      return;
    }
    this.submit(this.chosen, event);
  }

  submit(decision, event) {
    if (!this.seen.hadSeen(event.timeStamp) || this.seenAt === null) {
      this.hint("Not counted: look at the whole output first.");
      return;
    }
    const invalid = this.fields.firstProblem();
    if (invalid) {
      this.choose(decision);
      this.fields.focus(invalid.field.name);
      const title = invalid.field.title || invalid.field.name;
      this.hint(invalid.isEmpty ? `Fill in “${title}”, then press Ctrl+Enter.` : `“${title}”: ${invalid.text} Then press Ctrl+Enter.`);
      return;
    }
    const draft = this.draft();
    const body = { ...draft, decision, nonce: this.session.current.nonce, seen_at: this.seenAt };
    this.hint("");
    this.session.leaveItem("submit", body);
  }

  skip(action, event) {
    if (!this.presses.accepts(event) || !this.session.current) return;
    this.session.leaveItem(action, action === "defer" ? {} : undefined);
  }

  choose(value) {
    this.chosen = value;
    this.bar.mark(this.chosen, this.seenAt !== null);
    this.keepDraft();
  }

  leaveField() {
    this.heading.focus({ preventScroll: true });
  }

  async leave() {
    if (await this.session.leave()) this.trigger("leave", true);
  }

  /** Offer to edit the output; what is typed is sent as the correction. */
  offerCorrection(block, original, text) {
    const area = element("textarea", { class: "pr-correction", rows: 6, "aria-label": "Corrected output", on: { input: () => this.keepDraft() } });
    const key = this.own.correct ? [" ", element("kbd", { text: this.own.correct, "aria-hidden": "true" })] : [];
    const button = element("button", { type: "button", class: "pr-small", "aria-expanded": "false" }, "Correct the output", ...key);
    const open = (value) => {
      area.value = value;
      button.setAttribute("aria-expanded", "true");
      button.firstChild.data = "Discard the correction";
      button.after(area);
    };
    let discarded = original; // what a press of the button took away comes back with the next one
    this.correction = () => (area.isConnected && area.value !== original ? area.value : null);
    this.editCorrection = () => (area.isConnected ? area.focus() : button.click());
    button.addEventListener("click", () => {
      if (area.isConnected) {
        discarded = area.value;
        area.remove();
        button.setAttribute("aria-expanded", "false");
        button.firstChild.data = "Correct the output";
      } else {
        open(discarded);
        area.focus();
      }
      this.keepDraft();
    });
    block.append(button);
    if (text !== null) open(text);
  }

  draft() {
    const draft = { labels: this.fields.values(), comment: this.bar.comment.value, correction: this.correction?.() ?? null };
    return this.chosen === null ? draft : { ...draft, decision: this.chosen };
  }

  hasDraft() {
    const { labels, comment, correction } = this.draft();
    return Boolean(comment || correction !== null || Object.keys(labels).length);
  }

  enteredComment() {
    return this.session.current ? this.bar.comment.value : "";
  }

  keepDraft() {
    this.session.keepDraft(this.draft());
  }

  hint(text) {
    this.bar.hint.textContent = text;
    if (text) this.say(text);
  }

  /** Have a screen reader read a text. */
  say(text) {
    this.live.textContent = text;
  }

  keyTable() {
    const { skip, defer, undo, history, comment, correct } = this.own;
    const rows = [
      ...this.choices.map((choice) => [choice.shortcut, choice.label]),
      [skip, "Skip: the item comes again when nothing else is left for you"],
      [defer, "Later: as Skip, and the queue records that you mean to come back to it"],
      [comment, "Write a comment"],
      [this.editCorrection ? correct : null, "Correct the output"],
      ...this.fields.keys(),
      ["Esc", "Leave a field"],
      ["Shift + key", "Choose a decision without sending it"],
      ["Ctrl + Enter", "Send the chosen decision"],
      [undo, "Undo the last decision"],
      [history, "Your decisions"],
    ];
    return rows.filter(([key]) => key);
  }
}
