"""The outputs that reviewers corrected, with where each comes from, and the form that accepts some as gold cases."""

from collections.abc import Sequence
from functools import partial

import streamlit as st

from promptuary_ui import session
from promptuary_ui.client import ApiError
from promptuary_ui.components import pager
from promptuary_ui.components.number_format import format_count
from promptuary_ui.components.review_item import name_item
from promptuary_ui.components.text import escape_markdown, format_time, format_value, shorten_data, show_block
from promptuary_ui.components.text_comparison import show_side_by_side
from promptuary_ui.wire.review import OutputCorrection

PAGE_SIZE = 10
_REFUSAL = "corrections.refusal"
_ACCEPTED = "corrections.accepted"
_PAGE = "corrections.page"


def show_corrections(queue: str) -> None:
    """Show the corrections of a queue, page by page; a lead chooses some of a page, and accepts them with a reason."""
    st.subheader("Corrections", anchor=False)
    accepted = st.session_state.pop(_ACCEPTED, None)
    if accepted:
        st.success(escape_markdown(accepted), icon=":material/verified:")
    page = session.api().output_corrections(queue, PAGE_SIZE, pager.current_cursor(_PAGE, queue))
    if not page.items:
        st.caption("No reviewer has corrected an output of this queue.")
        return
    if session.has_scope("review:adjudicate") and not all(correction.accepted for correction in page.items):
        with st.form(f"gold-{queue}", border=False):
            _show_rows(page.items, may_accept=True)
            _show_acceptance(queue, page.items)
    else:
        _show_rows(page.items, may_accept=False)
    first = (pager.page_number(_PAGE, queue) - 1) * PAGE_SIZE
    pager.show_page_buttons(_PAGE, queue, f"Corrections {first + 1} to {first + len(page.items)}", page.next_cursor)


def _show_rows(corrections: Sequence[OutputCorrection], *, may_accept: bool) -> None:
    for correction in corrections:
        with st.container(border=True):
            with st.container(horizontal=True, vertical_alignment="center"):
                title = name_item(correction.case, correction.input or correction.output, correction.item)
                if may_accept and not correction.accepted:
                    st.checkbox(title, key=_checkbox(correction), width="content")
                else:
                    st.markdown(title, width="content")
                if correction.accepted:
                    st.badge("gold", icon=":material/check:", color="green")
            _show_contents(correction)
            show_side_by_side(format_value(correction.output or ""), correction.correction or "", ("Output", "Correction"))
            origin = [
                f"{correction.decided or 'decided'} by {correction.reviewer.removeprefix('key:')}",
                f"on {format_time(correction.at)}",
                f"decision {correction.decision}",
            ]
            st.caption(escape_markdown(" · ".join([*origin, *([correction.comment] if correction.comment else [])])))
            _show_others(correction)


def _show_contents(correction: OutputCorrection) -> None:
    """Show the input, and the expected value that the correction replaces."""
    for title, value in (("Input", correction.input), ("Expected so far", correction.expected)):
        if value is not None:
            st.caption(title)
            show_block(shorten_data(format_value(value)))


def _show_others(correction: OutputCorrection) -> None:
    """Show what others decided about the item; where one of them decided otherwise, with a warning."""
    if not correction.others:
        return
    labels = [f"{other.decision} ({other.comment})" if other.comment else other.decision for other in correction.others]
    text = escape_markdown(f"Others decided: {'; '.join(labels)}.")
    if any(other.decision != correction.decided for other in correction.others):
        st.warning(f"{text} They do not agree with this reviewer.", icon=":material/warning:")
    else:
        st.caption(text)


def _show_acceptance(queue: str, corrections: Sequence[OutputCorrection]) -> None:
    """Show what acceptance needs: a dataset and the reason. The form's button sends both with the chosen corrections."""
    refusal = st.session_state.pop(_REFUSAL, None)
    if refusal:
        st.error(escape_markdown(refusal), icon=":material/error:")
    names = [dataset.name for dataset in session.api().datasets()]
    index = 0 if len(names) == 1 else None
    st.selectbox("Dataset", names, index=index, placeholder="Choose a dataset", key=_dataset(queue))
    st.text_area("Reason (required; it is stored with the gold cases)", key=_reason(queue), max_chars=2000, height=80)
    st.form_submit_button(
        "Accept as gold", icon=":material/verified:", on_click=partial(_accept, queue, [*corrections]), type="primary"
    )
    st.caption(
        "The dataset gets its next version with each correction as the expected output. Nobody labels a gold case again."
    )


def _accept(queue: str, corrections: Sequence[OutputCorrection]) -> None:
    """Accept the chosen corrections; an error is shown in the form, which keeps what was entered."""
    chosen = [correction.decision for correction in corrections if st.session_state.get(_checkbox(correction))]
    dataset, reason = st.session_state.get(_dataset(queue)), st.session_state.get(_reason(queue), "").strip()
    steps = {"choose corrections": chosen, "choose a dataset": dataset, "write the reason": reason}
    missing = [step for step, value in steps.items() if not value]
    if missing:
        st.session_state[_REFUSAL] = f"Nothing is accepted yet: {', '.join(missing)}."
        return
    try:
        version = session.api().accept_gold(dataset, chosen, reason)
    except ApiError as error:
        st.session_state[_REFUSAL] = error.sentence
        return
    st.session_state[_reason(queue)] = ""
    counted = f"{format_count(len(chosen))} {'correction is' if len(chosen) == 1 else 'corrections are'}"
    st.session_state[_ACCEPTED] = f"{counted} gold in version {version.version} of {dataset}."


def _checkbox(correction: OutputCorrection) -> str:
    return f"gold.{correction.decision}"


def _dataset(queue: str) -> str:
    return f"gold.dataset.{queue}"


def _reason(queue: str) -> str:
    return f"gold.reason.{queue}"
