// Decisions on their way to the API: sent one after another, in order, and again until the API has answered.

import { call, isSuccess, isTemporary, path, sentence } from "./connection.js";

const FIRST_RETRY_MILLISECONDS = 500;
const LONGEST_RETRY_MILLISECONDS = 5_000;

export class Outbox {
  /**
   * `storage` keeps the entries over a reload. An entry is `{action, claim, body, attempts}`; the action is that of the
   * claim's route: submit, skip or defer. `onState(state, text)` reports `idle`, `saving` or `retrying`.
   */
  constructor(storage, onState) {
    this.storage = storage;
    this.onState = onState;
    this.entries = storage.outbox();
    this.inFlight = false;
    this.wake = null;
    this.closed = false;
  }

  get isEmpty() {
    return this.entries.length === 0;
  }

  add(action, claim, body) {
    this.entries.push({ action, claim, body, attempts: 0 });
    this.keep();
  }

  /** Take the last entry back if it was never sent; null otherwise. */
  takeBack() {
    const last = this.entries.at(-1);
    if (!last || last.attempts > 0 || (this.inFlight && this.entries.length === 1)) return null;
    this.entries.pop();
    this.keep();
    return last;
  }

  has(claim) {
    return this.entries.some((entry) => entry.claim.id === claim);
  }

  /** Retry at once, because the network came back or a person wants it. */
  hurry() {
    this.wake?.();
  }

  close() {
    this.closed = true;
    this.wake?.();
  }

  /**
   * Send the first entry until the API has answered it, and return `{entry, answer, stored}`; null where nothing is left.
   * An answer that was lost on its way is found among one's own decisions, so that nothing is decided twice.
   */
  async sendFirst(queue) {
    const entry = this.entries[0];
    if (!entry) return null;
    while (!this.closed) {
      const isRetry = entry.attempts > 0;
      entry.attempts += 1;
      this.keep();
      this.inFlight = true;
      if (!isRetry) this.onState("saving", "");
      const answer = await call("POST", path("claims", entry.claim.id, entry.action), entry.body);
      this.inFlight = false;
      if (!isTemporary(answer.status)) {
        const stored = isSuccess(answer.status) || (isRetry && (await this.wasStored(queue, entry, answer)));
        if (answer.status !== 401) this.remove(entry);
        this.onState("idle", "");
        return { entry, answer, stored };
      }
      this.onState("retrying", sentence(answer));
      await this.pause(Math.min(FIRST_RETRY_MILLISECONDS * 2 ** (entry.attempts - 1), LONGEST_RETRY_MILLISECONDS));
    }
    return null;
  }

  async wasStored(queue, entry, answer) {
    if (![404, 409].includes(answer.status)) return false;
    if (entry.action !== "submit") return true; // the item is no longer this reviewer's, which is what was wanted
    const decisions = await call("GET", `/me/decisions?queue=${encodeURIComponent(queue)}&limit=20`);
    const decision = decisions.body?.items?.find((item) => item.claim === entry.claim.id);
    if (decision) answer.body = decision;
    return Boolean(decision);
  }

  remove(entry) {
    this.entries = this.entries.filter((other) => other !== entry);
    this.keep();
  }

  keep() {
    this.storage.keepOutbox(this.entries);
  }

  pause(milliseconds) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
