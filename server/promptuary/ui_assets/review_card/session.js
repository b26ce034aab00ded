// A reviewer's session at one queue: the item on the screen, the next one beside it, and the decisions on their way.
// It knows nothing of the page: it reports to a `view`.

import { call, isSuccess, isTemporary, path, sentence } from "./connection.js";
import { Outbox } from "./outbox.js";
import { Storage } from "./storage.js";

const HEARTBEAT_MILLISECONDS = 45_000;
const IDLE_MILLISECONDS = 30 * 60_000;
const DRAFT_MILLISECONDS = 600;
const CHECK_MILLISECONDS = 20_000;
const COUNTS_MILLISECONDS = 5_000;
const LEAVE_MILLISECONDS = 3_000;

export class Session {
  constructor(queueName, reviewer, view) {
    this.queueName = queueName;
    this.view = view;
    this.storage = new Storage(reviewer, queueName);
    this.outbox = new Outbox(this.storage, (state, text) => view.showSaving(state, text, this.outbox?.entries.length ?? 0));
    this.queue = null;
    this.current = null;
    this.next = null;
    this.exhausted = false; // whether the API had no item beside the current one
    this.lastDecision = null;
    this.skipped = null; // the item that was skipped or deferred last, until something else is done
    this.closed = false;
    this.pumping = null;
    this.pendingDraft = null;
    this.activeAt = Date.now();
    this.channel = new BroadcastChannel("promptuary.review");
    this.channel.onmessage = ({ data }) => this.hearOf(data.decided);
    this.beat = setInterval(() => this.heartbeat(), HEARTBEAT_MILLISECONDS);
  }

  async start() {
    if (!(await this.readQueue())) return;
    await this.pump();
  }

  /** Read the queue with its schema and counts; report an error, and retry one that may pass. */
  async readQueue() {
    while (!this.closed) {
      const answer = await call("GET", path("queues", this.queueName));
      if (this.closed) return false;
      if (isSuccess(answer.status)) {
        this.queue = answer.body;
        this.view.showQueue(this.queue);
        return true;
      }
      if (answer.status === 401) return this.view.signIn(), false;
      this.view.showProblem(sentence(answer));
      if (!isTemporary(answer.status)) return false;
      await new Promise((resolve) => setTimeout(resolve, 2_000));
    }
    return false;
  }

  /** Send what waits, then fill both places; one at a time, however often it is called. */
  pump() {
    this.pumping ??= this.work().finally(() => {
      this.pumping = null;
    });
    return this.pumping;
  }

  async work() {
    while (!this.closed) {
      if (!this.outbox.isEmpty) {
        if (!(await this.settle(await this.outbox.sendFirst(this.queueName)))) return;
      } else if (!this.current) {
        if (!(await this.claimFirst())) return;
      } else if (!this.next && !this.exhausted) {
        if (!(await this.claimBeside())) return;
      } else {
        return;
      }
    }
  }

  /** Handle the answer to a decision; return whether the work goes on. */
  async settle(result) {
    if (!result) return false;
    const { entry, answer, stored } = result;
    const item = entry.claim.item.id;
    if (stored) {
      if (entry.action === "submit") {
        this.lastDecision = answer.body;
        this.skipped = null;
        this.storage.dropDraft(item);
        this.channel.postMessage({ decided: entry.claim.id });
        this.view.showStored(answer.body);
      }
      this.exhausted = false;
      this.refreshCountsSoon();
      return true;
    }
    if (answer.status === 401) {
      this.view.signIn();
      return false;
    }
    if (entry.action !== "submit") return true; // the item is no longer this reviewer's, which is what was wanted
    const isLive = answer.body?.code === "item_not_seen" || ![404, 409].includes(answer.status);
    if (isLive && entry.claim.nonce && entry.claim.item.payload) {
      this.bringBack(entry.claim, entry.body);
      this.view.showNote(sentence(answer), answer.body?.errors ?? []);
      await this.readQueue();
    } else {
      this.view.showNote(`Not counted: ${sentence(answer)}`, [], entry.body?.comment ?? "");
    }
    return true;
  }

  async claimFirst() {
    const answer = await call("POST", path("queues", this.queueName, "claims"), {});
    if (this.closed) return false;
    if (answer.status === 204) {
      await this.refreshCounts();
      const queues = await call("GET", "/queues?limit=200");
      this.view.showEmpty(this.queue, (queues.body?.items ?? []).filter((queue) => queue.name !== this.queueName));
      this.checkLater();
      return false;
    }
    if (!isSuccess(answer.status)) return this.fail(answer);
    this.place(answer.body);
    return true;
  }

  /** Show a claim that came, or keep it as the next one where an item is on the screen by now. */
  place(claim) {
    if (!this.current) this.show(claim);
    else if (claim.id !== this.current.id) this.next = claim;
  }

  async claimBeside() {
    const beside = this.current.id;
    const answer = await call("POST", path("queues", this.queueName, "claims"), { beside });
    if (this.closed) return false;
    if (answer.status === 204) {
      this.exhausted = true;
      return true;
    }
    if ([404, 409].includes(answer.status)) {
      if (this.current?.id === beside) this.loseCurrent(sentence(answer));
      return true;
    }
    if (!isSuccess(answer.status)) return this.fail(answer);
    if (answer.body.id === this.current?.id || this.outbox.has(answer.body.id)) this.exhausted = true;
    else this.place(answer.body);
    return true;
  }

  /** Report a failed claim; try it again where it may pass. */
  async fail(answer) {
    if (answer.status === 401) {
      this.view.signIn();
      return false;
    }
    if (!this.current) this.view.showProblem(sentence(answer));
    if (!isTemporary(answer.status)) return false;
    await this.outbox.pause(2_000);
    return true;
  }

  checkLater() {
    clearTimeout(this.checkTimer);
    this.checkTimer = setTimeout(() => {
      if (!this.closed && !this.current && document.visibilityState === "visible") this.pump();
      else if (!this.closed && !this.current) this.checkLater();
    }, CHECK_MILLISECONDS);
  }

  show(claim) {
    this.current = claim;
    this.view.showItem(claim, claim ? this.storage.draft(claim.item.id) ?? claim.draft ?? null : null);
    if (claim && claim.item.id === this.skipped) this.view.showNote("This is the only item that is free for you now.");
  }

  /** Send a decision, a skip or a deferral of the current item; the next item is shown before the request leaves. */
  leaveItem(action, body) {
    clearTimeout(this.draftTimer);
    this.pendingDraft = null;
    this.activeAt = Date.now();
    this.view.clearNote();
    const claim = this.current;
    const next = this.next;
    this.next = null;
    this.skipped = action === "submit" ? null : claim.item.id;
    this.outbox.add(action, claim, body);
    this.show(next);
    this.outbox.hurry();
    setTimeout(() => this.pump(), 0); // after the next item is in the page
  }

  /** Show an item again whose decision did not count, or was taken back; the one on the screen becomes the next. */
  bringBack(claim, draft) {
    if (draft) this.storage.keepDraft(claim.item.id, draft);
    const former = this.current;
    this.next = former ?? this.next;
    this.show(claim);
  }

  loseCurrent(reason) {
    const comment = this.view.enteredComment();
    const next = this.next;
    this.next = null;
    this.exhausted = false;
    this.show(next);
    this.view.showNote(`The item that you had open is no longer yours. ${reason}`.trim(), [], comment);
  }

  /** Undo the last decision, or one of the history: its item is shown again with what was entered. */
  async undo(decision = null) {
    if (this.undoing) return;
    this.undoing = true;
    try {
      await this.undoOnce(decision);
    } finally {
      this.undoing = false;
    }
  }

  async undoOnce(decision) {
    if (decision === null && this.skipped) {
      this.skipped = null;
      this.view.showNote("You skipped an item last; it comes again after the others. Undo once more takes back your last decision.");
      return;
    }
    const unsent = decision === null ? this.outbox.takeBack() : null;
    if (unsent) {
      this.bringBack(unsent.claim, unsent.body);
      return;
    }
    if (this.outbox.entries.some((entry) => entry.attempts > 1)) {
      this.view.showNote("The last decision is not saved yet; wait until it is.");
      return;
    }
    while (this.pumping) await this.pumping;
    const id = decision ?? this.lastDecision?.id ?? (await this.readLastDecision());
    if (id === null) return this.view.showNote("There is nothing to undo.");
    const answer = await call("POST", path("decisions", String(id), "undo"));
    if (isSuccess(answer.status)) {
      this.next = null; // the API gives it back, since nobody has more than two
      this.lastDecision = null;
      this.storage.dropDraft(answer.body.item.id);
      this.bringBack(answer.body, answer.body.draft);
      this.view.showNote("Undone: decide this item again.");
      this.view.showUndone();
      this.refreshCounts();
    } else if (answer.status === 401) {
      this.view.signIn();
    } else {
      this.view.showNote(`Not undone: ${sentence(answer)}`);
    }
    this.exhausted = false;
    this.pump();
  }

  async readLastDecision() {
    const answer = await call("GET", `/me/decisions?queue=${encodeURIComponent(this.queueName)}&limit=1`);
    return answer.body?.items?.[0]?.id ?? null;
  }

  async releaseNext() {
    const next = this.next;
    this.next = null;
    if (next) await call("POST", path("claims", next.id, "release"));
  }

  /** Keep a draft in this tab at once, and in the API a little later. */
  keepDraft(draft) {
    if (!this.current) return;
    this.activeAt = Date.now();
    const claim = this.current;
    this.storage.keepDraft(claim.item.id, draft);
    clearTimeout(this.draftTimer);
    this.draftTimer = setTimeout(() => this.sendDraft(claim, draft), DRAFT_MILLISECONDS);
    this.pendingDraft = { claim, draft };
  }

  async sendDraft(claim, draft, options) {
    this.pendingDraft = null;
    await call("PUT", path("claims", claim.id, "draft"), { nonce: claim.nonce, ...draft }, options);
  }

  /** Send the draft now, because the page is about to go away. */
  flush() {
    clearTimeout(this.draftTimer);
    const pending = this.pendingDraft;
    if (pending && pending.claim.id === this.current?.id) this.sendDraft(pending.claim, pending.draft, { keepalive: true });
  }

  async heartbeat() {
    if (!this.current || Date.now() - this.activeAt > IDLE_MILLISECONDS) return;
    for (const claim of [this.current, this.next]) {
      if (!claim) continue;
      const answer = await call("POST", path("claims", claim.id, "heartbeat"));
      if (![404, 409].includes(answer.status) || this.closed) continue;
      if (claim.id === this.next?.id) this.next = null;
      else if (claim.id === this.current?.id) this.loseCurrent("");
      this.pump();
    }
  }

  /** Move on from an item that was decided in another tab of this browser. */
  hearOf(decided) {
    if (this.next?.id === decided) this.next = null;
    if (this.current?.id === decided && !this.outbox.has(decided)) this.loseCurrent("You decided it in another tab.");
    this.pump();
  }

  /** Read the counts again, at most once in a few seconds. */
  refreshCountsSoon() {
    this.countsTimer ??= setTimeout(() => {
      this.countsTimer = null;
      this.refreshCounts();
    }, COUNTS_MILLISECONDS);
  }

  async refreshCounts() {
    const answer = await call("GET", path("queues", this.queueName));
    if (!isSuccess(answer.status) || this.closed) return;
    this.queue = { ...this.queue, counts: answer.body.counts };
    this.view.showCounts(this.queue);
  }

  /**
   * Give the items back, and return whether that was done: not while a decision is not saved. An item with a draft stays
   * this reviewer's until its lease ends.
   */
  async leave() {
    if (this.pumping) await Promise.race([this.pumping, new Promise((resolve) => setTimeout(resolve, LEAVE_MILLISECONDS))]);
    if (!this.outbox.isEmpty) {
      this.view.showNote("Your last decision is not saved yet. Stay here until it is.");
      return false;
    }
    this.closed = true;
    this.flush();
    await this.releaseNext();
    if (this.current && !this.view.hasDraft()) await call("POST", path("claims", this.current.id, "release"));
    this.current = null;
    return true;
  }

  /** End the session; what is not saved is sent once more, and stays in this tab for the next visit. */
  close() {
    this.closed = true;
    this.flush();
    for (const { action, claim, body } of this.outbox.entries) {
      call("POST", path("claims", claim.id, action), body, { keepalive: true });
    }
    for (const entry of this.outbox.entries) entry.attempts += 1;
    this.outbox.keep();
    clearInterval(this.beat);
    clearTimeout(this.checkTimer);
    clearTimeout(this.countsTimer);
    this.channel.close();
    this.outbox.close();
  }
}
