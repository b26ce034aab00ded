// Whether a reviewer has had an item's output before their eyes: the beginning and the end of each text have been in view.

/** How long a mark is in view before it counts: less than a person needs, and enough that an item is on the screen. */
export const DWELL_MILLISECONDS = 60;

export class SeenWatcher {
  /** `onSeen` is called when every mark has been in view, once an item. */
  constructor(onSeen) {
    this.onSeen = onSeen;
    this.marks = new Map();
    this.observer = null;
    this.timer = 0;
  }

  /** Forget the former item and watch the marks of a new one; `bottom` is the height of the bar that covers the page. */
  watch(marks, bottom) {
    this.stop();
    this.marks = new Map(marks.map((mark) => [mark, { since: null, seen: null }]));
    this.done = false;
    this.observe(bottom);
  }

  /** Watch the same marks above a bar of another height; what was seen stays seen. */
  resize(bottom) {
    if (!this.observer || this.done) return;
    this.observer.disconnect();
    for (const state of this.marks.values()) state.since = null;
    this.observe(bottom);
  }

  stop() {
    this.observer?.disconnect();
    clearTimeout(this.timer);
    this.observer = null;
  }

  observe(bottom) {
    this.observer = new IntersectionObserver((entries) => this.record(entries), { rootMargin: `0px 0px -${bottom}px 0px` });
    for (const mark of this.marks.keys()) this.observer.observe(mark);
  }

  /** Return whether everything had been seen at a time of the page's clock, such as that of a key press. */
  hadSeen(time) {
    return this.marks.size > 0 && [...this.marks.values()].every((state) => (this.seenSince(state) ?? Infinity) <= time);
  }

  seenSince(state) {
    return state.seen ?? (state.since === null ? null : state.since + DWELL_MILLISECONDS);
  }

  record(entries) {
    for (const entry of entries) {
      const state = this.marks.get(entry.target);
      if (!state || state.seen !== null) continue;
      if (entry.isIntersecting) {
        state.since ??= entry.time;
      } else if (state.since !== null) {
        const end = state.since + DWELL_MILLISECONDS;
        if (end <= entry.time) state.seen = end;
        state.since = null;
      }
    }
    this.check();
  }

  check() {
    clearTimeout(this.timer);
    if (this.done) return;
    const now = performance.now();
    const times = [...this.marks.values()].map((state) => this.seenSince(state));
    if (times.some((time) => time === null)) return;
    const wait = Math.max(...times) - now;
    if (wait > 0) {
      this.timer = setTimeout(() => this.check(), wait + 1);
      return;
    }
    for (const state of this.marks.values()) state.seen = this.seenSince(state);
    this.done = true;
    this.onSeen(new Date(Date.now() - (now - Math.max(...times))).toISOString());
  }
}
