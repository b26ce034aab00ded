"""The review page: choose a queue and decide one item at a time. It always shows the item that the API reports as claimed."""

from collections.abc import Callable
from datetime import timedelta

import streamlit as st

from promptuary_ui import session
from promptuary_ui.client import ApiError
from promptuary_ui.components import press_guard, review_item
from promptuary_ui.components.error_display import call_for_button, display_errors
from promptuary_ui.components.text import escape_markdown
from promptuary_ui.wire.review import Claim, Queue, QueueCounts

QUEUE, CLAIM = "queue", "claim"
HEARTBEAT_INTERVAL = timedelta(seconds=45)
HEARTBEAT_LIMIT = 40
"""After this number of heartbeats without a decision the lease ends, so that a forgotten tab does not keep an item forever."""
_HEARTBEATS, _OPENED = "review.beats", "review.opened"
COLUMNS = 3


def show() -> None:
    """Show the queue that the address names, or the list of queues."""
    name = st.query_params.get(QUEUE)
    if name is None:
        _show_queues()
    else:
        _show_queue(name)


def _show_queues() -> None:
    st.title("Review", anchor=False)
    queues = session.api().queues()
    if not queues:
        st.info("There is no queue yet. `promptuary review open` creates one from a run.", icon=":material/inbox:")
        return
    st.write("Choose a queue. You get one item at a time, and no other reviewer gets it meanwhile.")
    for start in range(0, len(queues), COLUMNS):
        for column, queue in zip(st.columns(COLUMNS), queues[start : start + COLUMNS], strict=False):
            with column, st.container(border=True):
                _show_queue_card(queue)


def _show_queue_card(queue: Queue) -> None:
    counts = queue.counts
    st.markdown(f"**{escape_markdown(queue.name)}**")
    st.progress(counts.decided / counts.items if counts.items else 0.0)
    st.caption(f"{counts.decided} of {counts.items} decided · {counts.left} left for you · {counts.claimed} in review now")
    start = "Continue" if counts.mine else "Start"
    st.button(start, key=f"open-{queue.name}", on_click=_open_queue, args=(queue.name,), type="primary", width="stretch")


def _open_queue(name: str) -> None:
    st.query_params[QUEUE] = name


def _show_queue(name: str) -> None:
    title, leave_column = st.columns([5, 1], vertical_alignment="bottom")
    title.title(escape_markdown(name), anchor=False)
    leave_column.button("All queues", icon=":material/arrow_back:", on_click=_leave_queue, width="stretch")
    press_guard.install()
    _current_item(name)


def _leave_queue() -> None:
    """Release the item and return to the list; if the release fails, the lease expires later."""
    claim = st.query_params.get(CLAIM)
    if claim is not None:
        try:
            session.api().release(claim)
        except ApiError as error:
            if not error.claim_lost:
                session.set_notice(error.sentence)
    st.query_params.clear()


def _show_item(name: str) -> None:
    """Show the reviewer's claimed item; a decision reruns only this fragment."""
    api = session.api()
    claim = api.claim(name)
    queue = api.queue(name)
    _show_progress(queue.counts)
    _show_notices(claim)
    if claim is None:
        _show_no_item(queue.counts)
        return
    st.query_params[CLAIM] = claim.id
    if queue.instructions:
        with st.expander("Instructions", expanded=True, icon=":material/checklist:"):
            st.text(queue.instructions)
    review_item.show_payload(claim.item.payload)
    _show_form(claim, queue)
    review_item.show_origin(claim.item.payload, claim.item.source)
    _heartbeat(claim.id)
    press_guard.record_display(st.session_state, claim.id)


def _show_progress(counts: QueueCounts) -> None:
    total = counts.mine + counts.left
    text = f"{counts.mine} decided by you · {counts.left} left for you · {counts.decided} of {counts.items} complete"
    st.progress(counts.mine / total if total else 1.0, text=text)


def _show_notices(claim: Claim | None) -> None:
    """Show the last notice; after a reload, report that the item of the address is no longer this reviewer's."""
    notice = session.pop_notice()
    opened = st.query_params.get(CLAIM)
    if opened and _OPENED not in st.session_state and (claim is None or claim.id != opened):
        notice = "The item that you had open is no longer yours: its lease expired, or it was decided."
    st.session_state[_OPENED] = True
    if notice:
        st.caption(f":material/info: {escape_markdown(notice)}")


def _show_no_item(counts: QueueCounts) -> None:
    st.query_params.pop(CLAIM, None)
    if counts.left:
        st.info(
            f"Other reviewers have claimed the items that are left for you ({counts.left} open). Check again later.",
            icon=":material/group:",
        )
    elif counts.open:
        st.success("You have decided every item here. The open ones wait for other reviewers.", icon=":material/check:")
    elif counts.items:
        st.success("Every item here is decided.", icon=":material/check:")
    else:
        st.info("This queue has no items yet.", icon=":material/inbox:")
    st.button("Check again", icon=":material/refresh:")


def _show_form(claim: Claim, queue: Queue) -> None:
    """Show the comment and the buttons in one form, so that a decision sends the comment; widget keys name the claim."""
    claim_key = f"{claim.id}-{claim.nonce}"
    comment = f"comment-{claim_key}"
    with st.container(key=f"decide-{claim_key}"), st.form(f"form-{claim_key}", enter_to_submit=False):
        st.text_area("Comment", key=comment, height=80, placeholder="Why? (optional)", max_chars=10_000)
        with st.container(horizontal=True):
            for number, choice in enumerate(queue.decisions):
                st.form_submit_button(
                    escape_markdown(choice.label),
                    key=f"{choice.value}-{claim_key}",
                    shortcut=choice.shortcut,
                    on_click=_decide,
                    args=(claim.id, claim.nonce, choice.value, comment),
                    type="primary" if number == 0 else "secondary",
                )
            st.space("stretch")
            st.form_submit_button(
                "Skip", key=f"skip-{claim_key}", shortcut="S", on_click=_skip, args=(claim.id,), type="tertiary"
            )


def _decide(claim: str, nonce: str, decision: str, comment: str) -> None:
    """Submit a decision on the displayed claim; after an error the page shows the current item."""
    if press_guard.is_displayed(st.session_state, claim):
        _call_api(lambda: session.api().submit(claim, nonce, decision, st.session_state.get(comment, "")))


def _skip(claim: str) -> None:
    if press_guard.is_displayed(st.session_state, claim):
        _call_api(lambda: session.api().skip(claim))


def _call_api(call: Callable[[], None]) -> None:
    """Call the API for a button; an error becomes a notice on the page, which then shows the current item."""
    st.session_state[_HEARTBEATS] = 0
    call_for_button(call)


def _send_heartbeat(claim: str) -> None:
    """Extend the lease while the page is open, up to a limit; when the claim is lost, show the current item."""
    heartbeats = st.session_state.get(_HEARTBEATS, 0)
    st.session_state[_HEARTBEATS] = heartbeats + 1
    if not 0 < heartbeats <= HEARTBEAT_LIMIT:
        return
    try:
        session.api().heartbeat(claim)
    except ApiError as error:
        if error.claim_lost:
            session.set_notice("The item that you had open is no longer yours; this is the next one.")
            st.rerun()


_current_item = st.fragment(display_errors(_show_item))
_heartbeat = st.fragment(_send_heartbeat, run_every=HEARTBEAT_INTERVAL)
