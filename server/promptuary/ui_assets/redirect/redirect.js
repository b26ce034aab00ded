// Sends the browser to another page of this server, which then comes back to the present one.

/** Replace the page by the one at `data.path`, with the present address as `next` and `data.reason`. */
export default function ({ data }) {
  const page = new URL(data.path, location.origin);
  page.searchParams.set("next", location.pathname + location.search);
  if (data.reason) page.searchParams.set("reason", data.reason);
  location.replace(page);
}
