"""The agreement page: how far the reviewers of a queue agree, what was settled, and what they corrected and decided."""

import streamlit as st

from promptuary_ui import session
from promptuary_ui.agreement.corrections import show_corrections
from promptuary_ui.agreement.disagreements import show_disagreements
from promptuary_ui.agreement.downloads import show_downloads
from promptuary_ui.agreement.figures import show_label
from promptuary_ui.components.number_format import format_count
from promptuary_ui.components.text import escape_markdown
from promptuary_ui.wire.agreement import Agreement

QUEUE = "queue"
"""The parameter of the address that names the queue."""


def show() -> None:
    """Show the figures of the chosen queue above its disagreements, corrections and exports."""
    st.title("Agreement", anchor=False)
    note = session.pop_notice()
    if note:
        st.caption(f":material/info: {escape_markdown(note)}")
    names = [queue.name for queue in session.api().queues()]
    if not names:
        st.info(
            "There is no review queue yet. `promptuary review open`, or **Review** on a run's page, fills one.",
            icon=":material/inbox:",
        )
        return
    requested = st.query_params.get(QUEUE)
    index = names.index(requested) if requested in names else 0
    name = st.selectbox("Queue", names, index=index, key="agreement.queue", format_func=str)
    st.query_params[QUEUE] = name
    agreement = session.api().agreement(name)
    _show_figures(agreement)
    show_disagreements(name, agreement.labels)
    if session.has_scope("review:manage"):
        show_corrections(name)
        show_downloads(name)


def _show_figures(agreement: Agreement) -> None:
    st.caption(
        f"{format_count(agreement.items)} items have at least two decisions; "
        f"{format_count(agreement.reviewers)} {'person' if agreement.reviewers == 1 else 'people'} decided."
        + (" You see the figures of finished items, whose decisions nobody can change." if agreement.finished_only else "")
    )
    if len(agreement.schema_numbers) > 1:
        numbers = ", ".join(str(number) for number in agreement.schema_numbers)
        st.caption(f":material/info: The decisions were made under several label schemas ({numbers}).")
    if not agreement.labels:
        return
    titles = [escape_markdown(label.title) for label in agreement.labels]
    if len(titles) == 1:
        show_label(agreement.labels[0])
        return
    for tab, label in zip(st.tabs(titles), agreement.labels, strict=True):
        with tab:
            show_label(label)
