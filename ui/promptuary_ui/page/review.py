"""The review page: choose a queue, and decide its items in the review card."""

import streamlit as st

from promptuary_ui import session
from promptuary_ui.client import ApiError
from promptuary_ui.components.text import escape_markdown
from promptuary_ui.review import card, queue_list

QUEUE = "queue"


def show() -> None:
    """Show the queue that the address names, or the list of queues."""
    name = st.query_params.get(QUEUE)
    if name is None:
        _show_queues()
        return
    caller = session.current_caller()
    try:
        queue = session.api().queue(name)
    except ApiError as error:
        if error.status not in (400, 404, 422):
            raise
        st.error(escape_markdown(f"There is no queue {name}."), icon=":material/search_off:")
        st.button("All queues", icon=":material/arrow_back:", on_click=_leave_queue)
        return
    card.show(queue.name, caller.actor_id if caller else "", _leave_queue)


def _show_queues() -> None:
    st.title("Review", anchor=False)
    notice = session.pop_notice()
    if notice:
        st.caption(f":material/info: {escape_markdown(notice)}")
    queues = session.api().queues()
    if not queues:
        st.info(
            "There is no queue yet. `promptuary review open`, or **Review** on a run's page, creates one.",
            icon=":material/inbox:",
        )
        return
    st.write("Choose a queue. You get one item at a time, and no item twice.")
    queue_list.show(queues, _open_queue)


def _open_queue(name: str) -> None:
    st.query_params[QUEUE] = name


def _leave_queue() -> None:
    st.query_params.clear()
