// Requests to the UI's server, which passes them to the API with the session of the browser's cookie.

const HEADERS = { "Content-Type": "application/json", "X-Promptuary-Review": "1" };
const TIMEOUT_MILLISECONDS = 20_000;
const BASE = "/review/api";

/**
 * Send a request and return `{status, body}`. The status is 0 where no answer came; then the request may have arrived or not.
 * `keepalive` lets it outlive the page.
 */
export async function call(method, path, body, { keepalive = false } = {}) {
  const aborter = new AbortController();
  const timer = setTimeout(() => aborter.abort(), TIMEOUT_MILLISECONDS);
  try {
    const response = await fetch(BASE + path, {
      method,
      headers: HEADERS,
      body: body === undefined ? undefined : JSON.stringify(body),
      keepalive,
      cache: "no-store",
      signal: aborter.signal,
    });
    const text = await response.text();
    return { status: response.status, body: parse(text) };
  } catch {
    return { status: 0, body: null };
  } finally {
    clearTimeout(timer);
  }
}

/** Return a path with its segments encoded: `path("claims", id, "submit")`. */
export const path = (...segments) => "/" + segments.map(encodeURIComponent).join("/");

/** Return whether an answer means that the same request may succeed later. */
export const isTemporary = (status) => status === 0 || status === 408 || status === 425 || status === 429 || status >= 500;

export const isSuccess = (status) => status >= 200 && status < 300;

/** Return the sentence of a failed answer, with its field errors. */
export function sentence({ status, body }) {
  if (status === 0) return "The server does not respond.";
  const detail = body?.detail ?? `The server answered with the status ${status}.`;
  const errors = (body?.errors ?? []).map((error) => `${error.path} ${error.message}`.trim());
  const text = [detail, ...errors].join("; ");
  return text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".");
}

function parse(text) {
  try {
    return text ? JSON.parse(text) : null;
  } catch {
    return null;
  }
}
