"""What a page shows to a browser without a session: nothing, and it goes to the sign-in page and comes back after it."""

import json

import streamlit as st

SCRIPT = """
<script>
  const page = new URL("/sign-in", location.origin);
  page.searchParams.set("next", location.pathname + location.search);
  const reason = {reason};
  if (reason) page.searchParams.set("reason", reason);
  location.replace(page);
</script>
"""


def show(reason: str | None = None) -> None:
    """Send the browser to the sign-in page.

    Args:
        reason: why the browser is there: `ended` or `signed-out`; None where it never signed in.
    """
    st.html(SCRIPT.replace("{reason}", json.dumps(reason)), unsafe_allow_javascript=True)
    st.stop()
