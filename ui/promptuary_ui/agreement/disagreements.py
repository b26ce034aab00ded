"""The items on which reviewers disagree, with all labels and comments, and the form that settles one."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import streamlit as st

from promptuary_ui import session
from promptuary_ui.client import ApiError
from promptuary_ui.components import pager
from promptuary_ui.components.review_item import name_item
from promptuary_ui.components.text import escape_markdown, format_time, format_value, shorten_data, show_block
from promptuary_ui.wire.agreement import Disagreement, LabelAgreement

PAGE_SIZE = 10
STATES = {"Open": "open", "Adjudicated": "adjudicated", "All": "all"}
_SETTLED = "agreement.settled"
_REFUSED = "agreement.refused"
"""Where the form whose adjudication was refused is stored, with the message."""
_SIDES = ("left", "right", "tie")
"""The sides of a pair as the API shows them here, in an order that is drawn for each pair."""
_PARTS = (("input", "Input"), ("output", "Output"), ("expected", "Expected"))


def show_disagreements(queue: str, labels: Sequence[LabelAgreement]) -> None:
    """Show the disagreements of a queue, page by page."""
    st.subheader("Disagreements", anchor=False)
    settled = st.session_state.pop(_SETTLED, None)
    if settled:
        st.success(escape_markdown(settled), icon=":material/gavel:")
    chosen = st.segmented_control(
        "Which disagreements", list(STATES), default="Open", key=f"state.{queue}", label_visibility="collapsed", required=True
    )
    state = STATES[chosen or "Open"]
    key = "disagreements.page"
    try:
        page = session.api().disagreements(queue, state, PAGE_SIZE, pager.current_cursor(key, (queue, state)))
    except ApiError as error:
        if error.status != 403:
            raise
        st.info(escape_markdown(error.sentence), icon=":material/visibility_off:")
        return
    if not page.items:
        message = "No disagreement is open." if state == "open" else "There is no disagreement here."
        st.success(f"{message} Only items with all of their decisions are listed.", icon=":material/check:")
    for disagreement in page.items:
        _show_disagreement(queue, disagreement, {label.name: label for label in labels})
    if page.items:
        first = (pager.page_number(key, (queue, state)) - 1) * PAGE_SIZE
        caption = f"Disagreements {first + 1} to {first + len(page.items)}"
        pager.show_page_buttons(key, (queue, state), caption, page.next_cursor)


def _show_disagreement(queue: str, disagreement: Disagreement, labels: Mapping[str, LabelAgreement]) -> None:
    with st.container(border=True, key=f"disagreement-{disagreement.item}"):
        titles = ", ".join(_title(name, labels) for name in disagreement.differing)
        payload = disagreement.payload
        case = payload.get("case") if isinstance(payload.get("case"), str) else None
        name = name_item(case, payload.get("input") or payload.get("output"), disagreement.item)
        st.markdown(f"{name}  \ndiffers in: {escape_markdown(titles)}")
        _show_payload(disagreement.payload)
        rows = [
            {
                "Reviewer": review.reviewer.removeprefix("key:"),
                **{_title(name, labels): _text(review.value_of(name)) for name in disagreement.differing},
                "Comment": review.comment,
                "At": format_time(review.at),
            }
            for review in disagreement.reviews
        ]
        st.table(rows)
        for review in disagreement.reviews:
            if review.correction is not None:
                st.caption(f"Corrected by {escape_markdown(review.reviewer.removeprefix('key:'))}")
                show_block(shorten_data(review.correction))
        known = {name: value for name, value in disagreement.gold.items() if name in disagreement.differing}
        for name, value in known.items():
            st.caption(f"Known label of {escape_markdown(_title(name, labels))}: {escape_markdown(_text(value))}")
        for adjudication in disagreement.adjudications:
            st.success(
                f"{escape_markdown(_title(adjudication.label, labels))}: **{escape_markdown(_text(adjudication.value))}**, "
                f"settled by {escape_markdown(adjudication.adjudicator.removeprefix('key:'))} on "
                f"{format_time(adjudication.at)}: {escape_markdown(adjudication.reason)}",
                icon=":material/gavel:",
            )
        if session.has_scope("review:adjudicate"):
            _show_form(queue, disagreement, labels)


def _show_payload(payload: Mapping[str, Any]) -> None:
    sides = payload.get("sides")
    for name, side in sides.items() if isinstance(sides, dict) else ():
        st.caption(name.capitalize())
        show_block(shorten_data(format_value(side.get("output", side) if isinstance(side, dict) else side)))
    for name, title in _PARTS:
        value = payload.get(name)
        if value is not None:
            st.caption(title)
            show_block(shorten_data(format_value(value)))


def _show_form(queue: str, disagreement: Disagreement, labels: Mapping[str, LabelAgreement]) -> None:
    """Show a button for each value to choose from, and the reason, in one form: a button sends what is written beside it."""
    settled = {adjudication.label for adjudication in disagreement.adjudications}
    title = "Change what was settled" if settled >= set(disagreement.differing) else "Settle it"
    refused_key, message = st.session_state.get(_REFUSED, ("", ""))
    is_open = refused_key.startswith(f"{disagreement.item}-")
    with st.expander(title, icon=":material/gavel:", expanded=is_open, key=f"settle-{disagreement.item}"):
        for name in disagreement.differing:
            with st.form(f"form-{disagreement.item}-{name}", border=False):
                key = f"{disagreement.item}-{name}"
                st.markdown(f"**{escape_markdown(_title(name, labels))}**")
                if refused_key == key:
                    st.error(escape_markdown(message), icon=":material/error:")
                st.text_area("Reason (required; it is stored and audited)", key=f"reason-{key}", max_chars=2000, height=80)
                if _is_own(disagreement):
                    st.checkbox("I am one of the reviewers of this item, and settle it myself", key=f"own-{key}")
                with st.container(horizontal=True):
                    for number, value in enumerate(_candidates(disagreement, labels.get(name), name)):
                        st.form_submit_button(
                            escape_markdown(_text(value)) or "(nothing)",
                            key=f"settle-{key}-{number}",
                            on_click=partial(_settle, queue, disagreement, name, value),
                        )


def _candidates(disagreement: Disagreement, label: LabelAgreement | None, name: str) -> list[Any]:
    """Return the values to choose from: all options of a label with one value, else what the reviewers gave."""
    if label is not None and label.type == "preference":
        return list(_SIDES)
    if label is not None and label.options and label.level in ("nominal", "ordinal"):
        return list(label.options)
    values: list[Any] = []
    for review in disagreement.reviews:
        value = review.value_of(name)
        if value is not None and value not in values:
            values.append(value)
    return values


def _is_own(disagreement: Disagreement) -> bool:
    caller = session.current_caller()
    return caller is not None and any(review.reviewer_id == caller.actor_id for review in disagreement.reviews)


def _settle(queue: str, disagreement: Disagreement, name: str, value: Any) -> None:
    """Send an adjudication; an error is shown in the form, which keeps what was written."""
    key = f"{disagreement.item}-{name}"
    body: dict[str, Any] = {
        "item": disagreement.item,
        "reason": st.session_state.get(f"reason-{key}", ""),
        "own": bool(st.session_state.get(f"own-{key}", False)),
        "replaces": [adjudication.id for adjudication in disagreement.adjudications if adjudication.label == name],
    }
    body |= {"decision": value} if name == "decision" else {"labels": {name: value}}
    if not body["reason"].strip():
        st.session_state[_REFUSED] = (key, "Write the reason first: it is stored with the settled label.")
        return
    try:
        session.api().adjudicate(queue, body)
    except ApiError as error:
        st.session_state[_REFUSED] = (key, error.sentence)
    else:
        st.session_state.pop(_REFUSED, None)
        st.session_state[_SETTLED] = f"Settled: {_text(value)}."


def _title(name: str, labels: Mapping[str, LabelAgreement]) -> str:
    return labels[name].title if name in labels else name


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        return ", ".join(value)
    return format_value(value)
