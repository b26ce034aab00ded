// Keys of the card. They are heard before the page hears them, so that Streamlit's own (R, C) do nothing here.

import { isTextField } from "./dom.js";

const OWN = { skip: "S", defer: "D", undo: "Z", history: "H", comment: "M", correct: "E" };
/** Two presses that follow each other faster are one press of a trembling finger. */
const BOUNCE_MILLISECONDS = 100;

/** Return the card's own keys by action, without those that a queue's decisions use. */
export function ownKeys(choices) {
  const used = new Set(choices.map((choice) => choice.shortcut));
  return Object.fromEntries(Object.entries(OWN).filter(([, key]) => !used.has(key)));
}

/** Refuses what no person means: the repeats of a held key, the second press of a double click, and presses in a burst. */
export class PressFilter {
  constructor() {
    this.last = -Infinity;
  }

  /** Return whether an event is a press of its own. */
  accepts(event) {
    if (event.repeat || event.detail > 1) return false;
    const since = event.timeStamp - this.last;
    this.last = Math.max(this.last, event.timeStamp);
    return since >= BOUNCE_MILLISECONDS;
  }
}

/**
 * Listen to the window's keys; `card` has the methods isDialogOpen, press(key, event), send(event) and leaveField(event).
 * Return a function that ends it.
 */
export function listen(root, card) {
  const onKey = (event) => {
    if (event.isComposing) return;
    if (card.isDialogOpen()) {
      if (isPlain(event)) event.stopImmediatePropagation();
      return;
    }
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && (root.contains(event.target) || !isTextField(event.target))) {
      take(event);
      if (!event.repeat) card.send(event);
      return;
    }
    if (isTextField(event.target)) {
      if (event.key === "Escape" && root.contains(event.target)) {
        take(event);
        card.leaveField();
      }
      return;
    }
    if ((event.key === "Enter" || event.key === " ") && event.repeat && root.contains(event.target)) return take(event);
    if (!isPlain(event)) return;
    event.stopImmediatePropagation();
    if (card.press(keyOf(event), event)) event.preventDefault();
  };
  window.addEventListener("keydown", onKey, true);
  return () => window.removeEventListener("keydown", onKey, true);
}

const isPlain = (event) => event.key.length === 1 && event.key !== " " && !event.ctrlKey && !event.metaKey && !event.altKey;

/** Return the key's letter; that of its place on the keyboard where the layout's letters are not Latin. */
function keyOf(event) {
  const letter = /^(?:Key|Digit)([A-Z0-9])$/.exec(event.code)?.[1];
  return /^[\x21-\x7e]$/.test(event.key) || !letter ? event.key.toUpperCase() : letter;
}

function take(event) {
  event.stopImmediatePropagation();
  event.preventDefault();
}
