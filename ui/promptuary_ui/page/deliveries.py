"""The deliveries page, for operators: messages to Chroma, MLflow and webhooks that could not be delivered."""

import json

import streamlit as st

from promptuary_ui import session
from promptuary_ui.components import pager
from promptuary_ui.components.error_display import call_for_button
from promptuary_ui.components.text import escape_markdown, format_time
from promptuary_ui.wire.deliveries import ParkedMessage

PAGE_SIZE = 20


def show() -> None:
    """Show the messages that were refused too often, each with its error and what can be done."""
    st.title("Deliveries", anchor=False)
    note = session.pop_notice()
    if note:
        st.caption(f":material/info: {escape_markdown(note)}")
    key = "deliveries.page"
    page = session.api().parked_messages(PAGE_SIZE, pager.current_cursor(key, ()))
    if not page.items:
        st.success("Every message was delivered, or is still tried.", icon=":material/check:")
        return
    st.caption("Their receiver refused these messages, so they are not tried any more. Others are delivered meanwhile.")
    for message in page.items:
        _show_message(message)
    first = (pager.page_number(key, ()) - 1) * PAGE_SIZE
    pager.show_page_buttons(key, (), f"Messages {first + 1} to {first + len(page.items)}", page.next_cursor)


def _show_message(message: ParkedMessage) -> None:
    api = session.api()
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{message.id}** to {escape_markdown(message.topic)}", width="stretch")
            for label, icon, call in (
                ("Retry", ":material/refresh:", api.retry_message),
                ("Drop", ":material/delete:", api.drop_message),
            ):
                st.button(label, key=f"{label}-{message.id}", icon=icon, on_click=call_for_button, args=(call, message.id))
        st.caption(f"parked {format_time(message.parked_at)} after {message.attempts} tries")
        st.code(json.dumps(message.payload, ensure_ascii=False), language="json", wrap_lines=True)
        st.error(escape_markdown(message.error), icon=":material/error:")
