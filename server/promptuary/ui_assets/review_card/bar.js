// The bar at the bottom: the decisions, what else can be done with an item, and the comment. Nothing in it moves.

import { element } from "./dom.js";

const COMMENT_LIMIT = 10_000;

export class Bar {
  /** `actions` are called by name: decide(choice, event), skip, defer, undo, history, keys, comment. */
  constructor(actions) {
    this.actions = actions;
    this.choices = element("div", { class: "pr-choices", role: "group", "aria-label": "Decisions" });
    this.more = element("div", { class: "pr-more" });
    this.comment = element("textarea", {
      rows: 1,
      maxlength: COMMENT_LIMIT,
      placeholder: "Why? (optional)",
      "aria-keyshortcuts": "M",
      on: { input: () => this.grow(actions.comment()) },
    });
    this.commentKey = element("kbd", { text: "M" });
    const label = element("label", { class: "pr-comment" }, element("span", {}, "Comment ", this.commentKey), this.comment);
    this.saving = element("span", { class: "pr-saving" });
    this.hint = element("span", { class: "pr-hint" });
    const status = element("div", { class: "pr-status" }, this.saving, this.hint);
    this.node = element("div", { class: "pr-bar", role: "region", "aria-label": "Your decision" }, this.choices, this.more, status, label);
    this.buttons = new Map();
  }

  /** Build the buttons of a queue; `own` are the card's keys that no decision uses; a queue may allow no undo. */
  build(choices, own, canUndo = true) {
    this.buttons.clear();
    this.choices.replaceChildren(
      ...choices.map((choice) => {
        const button = this.button(choice.label, choice.shortcut, (event) => this.actions.decide(choice, event));
        button.setAttribute("aria-pressed", "false");
        this.buttons.set(choice.value, button);
        return button;
      }),
    );
    this.more.replaceChildren(
      this.button("Skip", own.skip, this.actions.skip),
      this.button("Later", own.defer, this.actions.defer),
      ...(canUndo ? [this.button("Undo", own.undo, this.actions.undo)] : []),
      this.button("History", own.history, this.actions.history),
      this.button("Keys", "?", this.actions.keys),
    );
    this.commentKey.hidden = !own.comment;
  }

  button(label, key, press) {
    const content = [element("span", { text: label })];
    if (key) content.push(element("kbd", { text: key, "aria-hidden": "true" }));
    return element("button", { type: "button", "aria-keyshortcuts": key, on: { click: press } }, ...content);
  }

  /** Show which decision is chosen, and whether the item can be decided yet. */
  mark(chosen, decidable) {
    for (const [value, button] of this.buttons) {
      button.setAttribute("aria-pressed", String(value === chosen));
      button.setAttribute("aria-disabled", String(!decidable));
    }
  }

  /** Enable the bar for an item, or disable what needs one. */
  enable(isItem) {
    for (const button of [...this.buttons.values(), ...[...this.more.children].slice(0, 2)]) button.disabled = !isItem;
    this.comment.disabled = !isItem;
  }

  setComment(text) {
    this.comment.value = text;
    this.grow();
  }

  grow() {
    this.comment.style.height = "auto";
    this.comment.style.height = `${Math.min(this.comment.scrollHeight + 2, 140)}px`;
  }
}
