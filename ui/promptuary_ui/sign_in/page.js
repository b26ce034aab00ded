"use strict";
(() => {
  const query = new URLSearchParams(location.search);
  const element = (id) => document.getElementById(id);
  const show = (id, text) => {
    if (text !== undefined) element(id).textContent = text;
    element(id).hidden = false;
  };
  const headers = { "Content-Type": "application/json", "X-Promptuary-Sign-In": "1" };

  /** Return the page to show after the sign-in: one of this server, whatever the address of this page contains. */
  const target = () => {
    try {
      const next = new URL(query.get("next") || "/", location.origin);
      const own = next.origin === location.origin && !next.pathname.startsWith("/sign-in");
      return own ? next.pathname + next.search + next.hash : "/";
    } catch {
      return "/";
    }
  };

  const notices = {
    ended: "Your session has ended. Sign in again.",
    "signed-out": "You are signed out.",
    "no-role": "You have no role here. Ask an administrator.",
    "provider-refused": "The sign-in was not completed. Begin it again.",
    "provider-failed": "The sign-in provider does not respond. Try again, or sign in with a key.",
  };
  const reason = query.get("reason");
  if (reason in notices) show("notice", notices[reason]);

  const showForm = () => {
    show("form");
    element("credential").focus();
  };

  /** A link from another site comes without the cookie; a request of this page has it. */
  const start = async () => {
    const response = await fetch("/sign-in/session", { headers }).catch(() => null);
    const state = response && response.ok ? await response.json() : {};
    if (state.signed_in) return location.replace(target());
    if (state.provider) {
      show("provider", `Sign in with ${state.provider}`);
      element("provider").href = `/sign-in/provider?next=${encodeURIComponent(target())}`;
    }
    showForm();
  };

  element("form").addEventListener("submit", async (event) => {
    event.preventDefault();
    const credential = element("credential").value.trim();
    element("problem").hidden = true;
    if (!credential) return show("problem", "Paste your API key or your code first.");
    const button = element("form").querySelector("button");
    button.disabled = true;
    try {
      const response = await fetch("/sign-in/session", { method: "POST", headers, body: JSON.stringify({ credential }) });
      if (response.ok) return location.replace(target());
      show("problem", (await response.json()).detail);
    } catch {
      show("problem", "The server does not respond; try again.");
    } finally {
      button.disabled = false;
    }
  });

  start();
})();
