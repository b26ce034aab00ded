// Refuses accidental presses on the review form, in the browser, where the time and the repeat of a key are known.
// A press on a button of the form, or of a key outside of text fields, reaches Streamlit only if the key is not repeating and
// both the first paint of the form and the previous press are at least the minimum time ago. All times are those at which the
// events happened, so it does not matter how late this page or the server processes them.
(() => {
  if (window.promptuaryPressGuard) return;
  window.promptuaryPressGuard = true;
  const MINIMUM_MILLISECONDS = __MINIMUM_MILLISECONDS__;
  const PREFIX = "st-key-decide-";
  const FORM = `[class*="${PREFIX}"]`;
  const TEXT_FIELD = "input, textarea, select, [contenteditable]";
  let displayed = { name: "", since: Infinity };
  let lastPress = -Infinity;

  const currentForm = () => Array.from(document.querySelectorAll(FORM)).at(-1) ?? null;
  const nameOf = (form) => Array.from(form.classList).find((name) => name.startsWith(PREFIX));
  const isAccepted = (form, moment) =>
    nameOf(form) === displayed.name && moment >= Math.max(displayed.since, lastPress) + MINIMUM_MILLISECONDS;

  // The form carries data-presses="accepted" from the moment at which a press is accepted.
  const announce = () => {
    const form = currentForm();
    if (form === null) return;
    const wait = Math.max(displayed.since, lastPress) + MINIMUM_MILLISECONDS - performance.now();
    if (nameOf(form) === displayed.name && wait <= 0) {
      form.dataset.presses = "accepted";
      return;
    }
    delete form.dataset.presses;
    if (Number.isFinite(wait)) setTimeout(announce, Math.max(wait, 1));
  };

  // A new form counts as displayed in the frame after its first one, when it has been painted.
  const observe = () => {
    const form = currentForm();
    if (form === null) {
      displayed = { name: "", since: Infinity };
      return;
    }
    if (nameOf(form) === displayed.name) return;
    const appeared = { name: nameOf(form), since: Infinity };
    displayed = appeared;
    delete form.dataset.presses;
    delete form.dataset.tooSoon;
    requestAnimationFrame(() =>
      requestAnimationFrame(() => {
        appeared.since = performance.now();
        announce();
      }),
    );
  };

  const isPress = (event) => {
    const target = event.target instanceof Element ? event.target : document.body;
    const onButton = target.closest(`${FORM} button`) !== null;
    if (event.type === "click") return onButton;
    if (event.key === "Enter" || event.key === " ") return onButton && event.repeat; // its first press arrives as a click
    const hasModifier = event.ctrlKey || event.metaKey || event.altKey;
    return event.key.length === 1 && !hasModifier && target.closest(TEXT_FIELD) === null;
  };

  const guard = (event) => {
    const form = currentForm();
    if (form === null || !event.isTrusted || !isPress(event)) return;
    observe();
    const accepted = !event.repeat && isAccepted(form, event.timeStamp);
    lastPress = Math.max(lastPress, event.timeStamp);
    announce();
    if (accepted) {
      delete form.dataset.tooSoon;
      return;
    }
    form.dataset.tooSoon = "";
    event.stopImmediatePropagation();
    event.preventDefault();
  };

  window.addEventListener("keydown", guard, true);
  window.addEventListener("click", guard, true);
  const changes = { childList: true, subtree: true, attributes: true, attributeFilter: ["class"] };
  new MutationObserver(observe).observe(document.documentElement, changes);
  observe();
})();
