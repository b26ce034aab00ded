"""The calls of the sample: a list, and one of them with all its parts. What a model or a user wrote stays text."""

import streamlit as st

from promptuary_ui import session
from promptuary_ui.components.messages import show_messages
from promptuary_ui.components.number_format import format_count, format_latency, format_usd
from promptuary_ui.components.pager import current_cursor, page_number, show_page_buttons
from promptuary_ui.components.text import escape_hidden, escape_markdown, format_time, show_block
from promptuary_ui.traffic.figures import version_name
from promptuary_ui.wire.traffic import SampledCall

PAGER = "traffic.sample"
PAGE_LENGTH = 20
EXCERPT = 80
STATUSES = {"": "any result", "ok": "completed", "error": "failed", "incomplete": "incomplete"}
FEEDBACK = {"": "with or without feedback", "any": "with feedback", "low": "with low feedback", "none": "without feedback"}
STRATA = {"random": "drawn at random", "error": "failed calls", "low_feedback": "calls with low feedback"}


def show_sample(prompt: str, start: str) -> None:
    """Show the sampled calls of a prompt since a time."""
    status_column, feedback_column = st.columns(2)
    with status_column:
        status = st.selectbox("Result", list(STATUSES), format_func=STATUSES.__getitem__, key="traffic.status")
    with feedback_column:
        feedback = st.selectbox("Feedback", list(FEEDBACK), format_func=FEEDBACK.__getitem__, key="traffic.feedback")
    query = (prompt, start[:13], status, feedback)
    filters = {"from": start, "status": status or None, "feedback": feedback or None}
    page = session.api().sampled_calls(prompt, PAGE_LENGTH, current_cursor(PAGER, query), filters)
    if not page.items:
        st.info(
            "No call of this time is in the sample. A call is listed when its wait is over (10 minutes by default), and only "
            "a share of the calls is stored: the figures above count all of them.",
            icon=":material/inbox:",
        )
        return
    show_page_buttons(PAGER, query, f"Page {page_number(PAGER, query)}, the newest call first", page.next_cursor)
    for call in page.items:
        with st.expander(_title(call)):
            _show_call(call)


def _title(call: SampledCall) -> str:
    error = "" if call.error is None else call.error.message or call.error.type or ""
    text = " ".join(escape_hidden(call.output or error).split())[:EXCERPT]
    parts = [escape_markdown(part) for part in (format_time(call.at), version_name(call.version), call.status)]
    excerpt = text.replace("`", "'")  # as code: an address in it does not become a link
    return " · ".join([*parts, *([f"`{excerpt}`"] if excerpt else [])])


def _show_call(call: SampledCall) -> None:
    facts = [
        ("Model", call.response_model or call.model),
        ("Label", call.label),
        ("Variant", call.variant),
        ("Latency", format_latency(call.latency_ms)),
        ("First token", format_latency(call.first_token_ms)),
        ("Tokens in", format_count(call.tokens.input)),
        ("Tokens out", format_count(call.tokens.output)),
        ("Cost", format_usd(call.cost)),
        ("Finish", call.finish),
        ("Sent by", call.emitter),
    ]
    st.markdown(" · ".join(f"{name}: **{escape_markdown(str(value))}**" for name, value in facts if value))
    st.caption(
        f"In the sample as one of the {STRATA.get(call.stratum, escape_markdown(call.stratum))}, with the probability "
        f"{call.probability:.4g}. {format_count(call.redacted)} passages were removed before it was stored. "
        f"Call {escape_markdown(call.id)}."
    )
    if call.error is not None:
        st.caption(f"Error {escape_markdown(call.error.type or '')}")
        show_block(call.error.message or "not reported")
    if call.input is None and call.output is None and call.error is None:
        st.info("The contents of this call were not reported, or are not stored any more.", icon=":material/hide_source:")
    if call.variables is not None:
        st.caption("variables")
        show_block(call.variables)
    if call.input is not None:
        show_messages([_message(message) for message in call.input], f"call.{call.id}")
    if call.output is not None or call.tool_calls:
        st.caption("answer")
        show_messages(
            [_message({"role": "assistant", "content": call.output, "tool_calls": call.tool_calls})], f"out.{call.id}"
        )
    for feedback in call.feedback:
        value = "" if feedback.value is None else f"{feedback.value:g}"
        st.caption(
            " · ".join(escape_markdown(part) for part in ("feedback", feedback.name, value, feedback.label or "") if part)
        )
        for text in (feedback.comment, feedback.correction):
            if text:
                show_block(text)


def _message(message: dict[str, object]) -> dict[str, object]:
    """Return a message in OpenAI's form, in which a tool call has its name and arguments in `function`."""
    calls = message.get("tool_calls") or []
    assert isinstance(calls, list)
    functions = [
        {"id": call.get("id"), "function": {"name": call.get("name"), "arguments": call.get("arguments")}} for call in calls
    ]
    content = message.get("content")
    readable = content is None or isinstance(content, str | list)
    return {**message, "content": content if readable else [{"type": "value", "value": content}], "tool_calls": functions}
