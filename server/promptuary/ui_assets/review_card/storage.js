// What the browser keeps of a review in this tab, so that a reload or a new sign-in loses nothing.
// It is kept by reviewer: a person who signs in after another one sees nothing of them.

const PREFIX = "promptuary.review.";

export class Storage {
  /** `reviewer` identifies the person; what the tab kept for another one is deleted. */
  constructor(reviewer, queue) {
    this.own = `${PREFIX}${reviewer}.`;
    this.outboxKey = `${this.own}outbox.${queue}`;
    for (const key of keys()) if (key.startsWith(PREFIX) && !key.startsWith(this.own)) remove(key);
  }

  draft(item) {
    return read(`${this.own}draft.${item}`);
  }

  keepDraft(item, draft) {
    write(`${this.own}draft.${item}`, draft);
  }

  dropDraft(item) {
    remove(`${this.own}draft.${item}`);
  }

  outbox() {
    return read(this.outboxKey) ?? [];
  }

  /** Keep the decisions that are not stored yet; without the items' texts where the browser's space is full. */
  keepOutbox(entries) {
    if (!entries.length) return remove(this.outboxKey);
    if (!write(this.outboxKey, entries)) {
      const short = entries.map((entry) => ({ ...entry, claim: { ...entry.claim, item: { id: entry.claim.item.id } } }));
      write(this.outboxKey, short);
    }
  }
}

function keys() {
  try {
    return Object.keys(sessionStorage);
  } catch {
    return [];
  }
}

function read(key) {
  try {
    return JSON.parse(sessionStorage.getItem(key));
  } catch {
    return null;
  }
}

function write(key, value) {
  try {
    sessionStorage.setItem(key, JSON.stringify(value));
    return true;
  } catch {
    return false; // the space is full, or the browser forbids it: the API keeps the draft
  }
}

function remove(key) {
  try {
    sessionStorage.removeItem(key);
  } catch {
    // nothing is kept then
  }
}
