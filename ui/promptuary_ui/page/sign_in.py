"""What a page shows to a browser without a session: nothing, and it goes to the sign-in page and comes back after it."""

from functools import cache
from typing import Any

import streamlit as st

NAME = "promptuary.redirect"


@cache
def _redirect() -> Any:
    """Register the component that takes the browser to another page; the policy of the pages allows no script in them."""
    return st.components.v2.component(NAME, js="redirect.js")


def show(reason: str | None = None) -> None:
    """Send the browser to the sign-in page.

    Args:
        reason: why the browser is there: `ended` or `signed-out`; None where it never signed in.
    """
    _redirect()(key="sign-in", data={"path": "/sign-in", "reason": reason})
    st.stop()
