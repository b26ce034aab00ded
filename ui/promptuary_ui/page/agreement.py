"""The agreement page: how far the reviewers of a queue agree, what was settled, and what they corrected and decided."""

import streamlit as st

from promptuary_ui import session
from promptuary_ui.agreement.corrections import show_corrections
from promptuary_ui.agreement.disagreements import show_disagreements
from promptuary_ui.agreement.downloads import show_downloads
from promptuary_ui.agreement.figures import show_label
from promptuary_ui.agreement.preferences import show_preferences
from promptuary_ui.components.number_format import format_count
from promptuary_ui.components.text import escape_markdown
from promptuary_ui.wire.agreement import Agreement
from promptuary_ui.wire.review import Queue

QUEUE = "queue"
"""The parameter of the address that names the queue."""
REVIEW = ""
"""The path of the page of review, which is the default one."""
_CHOICE, _SHOWN = "agreement.queue", "agreement.shown"


def show() -> None:
    """Show the figures of the chosen queue above its disagreements, corrections and exports."""
    st.title("Agreement", anchor=False)
    note = session.pop_notice()
    if note:
        st.caption(f":material/info: {escape_markdown(note)}")
    queues = session.api().queues()
    names = [queue.name for queue in queues]
    if not names:
        st.info(
            "There is no review queue yet. `promptuary review open`, or **Review** on a run's page, fills one.",
            icon=":material/inbox:",
        )
        return
    name = _choose_queue(names)
    queue = next(each for each in queues if each.name == name)
    _show_links(queue)
    agreement = session.api().agreement(name)
    _show_figures(name, agreement)
    show_disagreements(name, agreement.labels)
    if session.has_scope("review:manage"):
        show_corrections(name)
        show_downloads(name)


def _choose_queue(names: list[str]) -> str:
    """Show the choice of a queue: the one that the address names, until another is chosen. The address then names that."""
    requested = st.query_params.get(QUEUE)
    if requested in names and st.session_state.get(_SHOWN) != requested:
        st.session_state[_CHOICE] = requested
    elif st.session_state.get(_CHOICE) not in names:
        st.session_state[_CHOICE] = requested if requested in names else names[0]
    if requested is not None and requested not in names:
        st.warning(escape_markdown(f"There is no queue {requested}."), icon=":material/search_off:")
    name: str = st.selectbox("Queue", names, key=_CHOICE, format_func=str)
    st.query_params[QUEUE] = st.session_state[_SHOWN] = name
    return name


def _show_links(queue: Queue) -> None:
    """Show links to the queue's items and to the run that they come from."""
    run = (queue.source or {}).get("run")
    links = [(REVIEW, "To its items", ":material/rate_review:", {"queue": queue.name})]
    links += [("runs", "To its run", ":material/science:", {"run": run})] if isinstance(run, str) else []
    with st.container(horizontal=True):
        for page, label, icon, parameters in links:
            target = session.app_page(page)
            if target is not None:
                st.page_link(target, label=label, icon=icon, query_params=parameters)


def _show_figures(queue: str, agreement: Agreement) -> None:
    verb = "item has" if agreement.items == 1 else "items have"
    st.caption(
        f"{format_count(agreement.items)} {verb} at least two decisions; "
        f"{format_count(agreement.reviewers)} {'person' if agreement.reviewers == 1 else 'people'} decided."
        + (" You see the figures of finished items, whose decisions nobody can change." if agreement.finished_only else "")
    )
    if len(agreement.schema_numbers) > 1:
        numbers = ", ".join(str(number) for number in agreement.schema_numbers)
        st.caption(f":material/info: The decisions were made under several label schemas ({numbers}).")
    if not agreement.labels:
        return
    titles = [escape_markdown(label.title) for label in agreement.labels]
    tabs = st.tabs(titles) if len(titles) > 1 else [st.container()]
    for tab, label in zip(tabs, agreement.labels, strict=True):
        with tab:
            show_label(label)
            if label.type == "preference":
                show_preferences(queue, label.name)
