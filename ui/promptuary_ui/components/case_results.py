"""One case: its input, its expected value, and the results of every variant and repeat side by side."""

from collections.abc import Iterator, Sequence

import streamlit as st

from promptuary_ui.components import badges, review_item, text_comparison
from promptuary_ui.components.messages import show_messages
from promptuary_ui.components.number_format import format_count, format_latency, format_score, format_usd
from promptuary_ui.components.text import escape_markdown, show_block
from promptuary_ui.components.text_comparison import NO_BREAK_SPACE
from promptuary_ui.wire.runs import Result, ScorerOutcome, Turn

COLUMNS = 3
LONG_TEXT = 1500
HEIGHT = 340
NO_REFERENCE = "nothing"


def show_case(results: Sequence[Result], key: str) -> None:
    """Show the results of one case; `key` is the prefix of the widgets' keys."""
    first = results[0]
    with st.container(horizontal=True, vertical_alignment="center"):
        st.subheader(escape_markdown(first.case), anchor=False, width="content")
        for tag in first.tags:
            st.badge(escape_markdown(tag), icon=":material/tag:", color="gray")
        if first.cluster:
            st.badge(escape_markdown(first.cluster), icon=":material/group_work:", color="gray")
    show_input(first)
    reference = _choose_reference(results, key)
    for start in range(0, len(results), COLUMNS):
        row = results[start : start + COLUMNS]
        for column, result in zip(st.columns(min(COLUMNS, len(results))), row, strict=False):
            with column, st.container(border=True, height="stretch"):
                _show_result(result, reference)


def show_input(result: Result) -> None:
    """Show the case's input and its expected value."""
    if result.vars or result.expected is not None:
        review_item.show_payload({"input": result.vars or None, "expected": result.expected})


def _choose_reference(results: Sequence[Result], key: str) -> Result | None:
    """Return the result that the user chose as the reference of the others, or None."""
    answered = [result for result in results if result.output is not None]
    if len(answered) < 2:
        return None
    titles = [NO_REFERENCE, *(result.title for result in answered)]
    chosen = st.selectbox("Highlight differences from", titles, key=f"{key}.base", persist_state="page", width=260)
    return next((result for result in answered if result.title == chosen), None)


def _show_result(result: Result, reference: Result | None) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{escape_markdown(result.title)}**", width="content")
        badges.show_result_badge(result)
    show_usage(result)
    if result.error is not None:
        st.error(escape_markdown(result.error), icon=":material/error:")
    if result.output is not None and reference is not None and reference is not result:
        text_comparison.show_against(reference.output or "", result.output)
    elif result.output is not None:
        with st.container(height=HEIGHT if len(result.output) > LONG_TEXT else "content", border=False):
            st.text(result.output or "(empty)")
    _show_beside_output(result)
    _show_turns(result)
    show_scorers(result)
    _show_model_input(result)


def _show_beside_output(result: Result) -> None:
    """Show how an application answered, a refusal, malformed tool calls, and the reasoning in a closed expander."""
    detail = result.detail
    if detail.application.address is not None:
        application = detail.application
        status = f"status {application.status}" if application.status is not None else ""
        version = f"version {application.version}" if application.version is not None else ""
        st.caption(escape_markdown(" · ".join(filter(None, [application.address, status, version]))))
    if detail.refusal is not None:
        st.warning(escape_markdown(f"Refused: {detail.refusal}"), icon=":material/block:")
    for call in detail.invalid_tool_calls:
        text = f"Malformed call of {call.get('name') or 'a tool'}: {call.get('args')}"
        st.warning(escape_markdown(text), icon=":material/warning:")
    if detail.reasoning:
        with st.expander("Reasoning", icon=":material/psychology:"):
            st.text(detail.reasoning)


def _show_turns(result: Result) -> None:
    """Show a conversation turn by turn: the messages, then the turn's scores."""
    for number, turn in enumerate(result.detail.turns, 1):
        with st.container(border=True):
            with st.container(horizontal=True, vertical_alignment="center"):
                st.markdown(f"**Turn {number}**", width="content")
                if turn.scores:
                    badges.show_result_badge(turn)
            show_usage(turn)
            show_messages(turn.messages, key=f"turn.{result.case}.{result.variant}.{result.repeat}.{number}")
            for name, outcome in (turn.scores or {}).items():
                st.markdown("  \n".join(_scorer_lines(name, outcome.score, outcome)))


def show_usage(result: Result | Turn) -> None:
    """Show the score, latency, tokens and cost of a result or a turn, as far as they are known."""
    tokens = ""
    if result.tokens_input is not None or result.tokens_output is not None:
        tokens = f"{format_count(result.tokens_input) or '?'} tokens in, {format_count(result.tokens_output) or '?'} out"
    cached = "cached" if result.cached else ""
    score = "" if result.score is None else f"score {format_score(result.score)}"
    facts = [text for text in (score, format_latency(result.latency_ms), tokens, format_usd(result.cost), cached) if text]
    if facts:
        st.caption(escape_markdown(" · ".join(facts)))


def show_scorers(result: Result) -> None:
    """Show every scorer's score, with its reason."""
    outcomes = result.detail.scores
    for name in dict.fromkeys((*outcomes, *result.metrics)):
        score = result.metrics.get(name, outcomes[name].score if name in outcomes else None)
        st.markdown("  \n".join(_scorer_lines(name, score, outcomes.get(name))))


def _scorer_lines(name: str, score: float | None, outcome: ScorerOutcome | None, depth: int = 0) -> Iterator[str]:
    """Yield the Markdown lines of a scorer: its verdict and score, its reason, and the lines of its parts."""
    icon = ":gray[:material/circle:]" if score is not None else ":orange[:material/warning:]"
    if outcome is not None and outcome.error is not None:
        icon = ":orange[:material/warning:]"
    elif outcome is not None and outcome.passed is not None:
        icon = ":green[:material/check:]" if outcome.passed else ":red[:material/close:]"
    indent = NO_BREAK_SPACE * 4 * depth
    yield f"{indent}{icon} **{escape_markdown(name)}** {escape_markdown('no score' if score is None else format_score(score))}"
    reason = (outcome.error or outcome.reason) if outcome else None
    if reason:
        yield f"{indent}:small[:gray[{escape_markdown(reason)}]]"
    for part in outcome.parts if outcome else ():
        yield from _scorer_lines(part.name or "part", part.score, part, depth + 1)


def _show_model_input(result: Result) -> None:
    """Show the model's messages and passages in closed expanders."""
    detail = result.detail
    if detail.messages:
        with st.expander("Messages", icon=":material/forum:"):
            show_messages(detail.messages, key=f"result.{result.case}.{result.variant}.{result.repeat}")
    if detail.passages:
        with st.expander(f"Passages ({len(detail.passages)})", icon=":material/menu_book:"):
            for passage in detail.passages:
                score = passage.get("score")
                origin = f"{passage.get('document', '?')}, part {passage.get('chunk', '?')}"
                st.caption(escape_markdown(origin + (f", score {format_score(score)}" if isinstance(score, float) else "")))
                if passage.get("text"):
                    show_block(passage["text"])
