"""One case whole: what went in, what was expected, and what came out under every variant and repeat, side by side."""

from collections.abc import Iterator, Sequence

import streamlit as st

from promptuary_ui.evaluations import Result, Told
from promptuary_ui.parts import item, verdict, words
from promptuary_ui.parts.figures import count, money, number, time
from promptuary_ui.parts.text import block, plain
from promptuary_ui.parts.words import FIXED

COLUMNS = 3
TALL = 1500
HEIGHT = 340
NOTHING = "nothing"


def case(results: Sequence[Result], key: str) -> None:
    """Show the results of one case; `key` tells the widgets of this place from others."""
    first = results[0]
    with st.container(horizontal=True, vertical_alignment="center"):
        st.subheader(plain(first.case), anchor=False, width="content")
        for tag in first.tags:
            st.badge(plain(tag), icon=":material/tag:", color="gray")
        if first.cluster:
            st.badge(plain(first.cluster), icon=":material/group_work:", color="gray")
    given(first)
    base = _base(results, key)
    for start in range(0, len(results), COLUMNS):
        shown = results[start : start + COLUMNS]
        for column, result in zip(st.columns(min(COLUMNS, len(results))), shown, strict=False):
            with column, st.container(border=True, height="stretch"):
                _one(result, base)


def given(result: Result) -> None:
    """Show what went in, and what was expected."""
    if result.vars or result.expected is not None:
        item.sides({"input": result.vars or None, "expected": result.expected})


def _base(results: Sequence[Result], key: str) -> Result | None:
    """Let one answer be chosen that the others are compared with."""
    answered = [result for result in results if result.output is not None]
    if len(answered) < 2:
        return None
    titles = [NOTHING, *(result.title for result in answered)]
    chosen = st.selectbox("Mark what differs from", titles, key=f"{key}.base", persist_state="page", width=260)
    return next((result for result in answered if result.title == chosen), None)


def _one(result: Result, base: Result | None) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{plain(result.title)}**", width="content")
        verdict.of_result(result)
    figures(result)
    if result.error is not None:
        st.error(plain(result.error), icon=":material/error:")
    if result.output is not None and base is not None and base is not result:
        words.against(base.output or "", result.output)
    elif result.output is not None:
        with st.container(height=HEIGHT if len(result.output) > TALL else "content", border=False):
            st.text(result.output or "(empty)")
    scorers(result)
    _seen(result)


def figures(result: Result) -> None:
    """Show what the answer took, as far as is known."""
    tokens = ""
    if result.tokens_input is not None or result.tokens_output is not None:
        tokens = f"{count(result.tokens_input) or '?'} tokens in, {count(result.tokens_output) or '?'} out"
    remembered = "remembered" if result.cached else ""
    score = "" if result.score is None else f"score {number(result.score)}"
    told = [part for part in (score, time(result.latency_ms), tokens, money(result.cost), remembered) if part]
    if told:
        st.caption(plain(" · ".join(told)))


def scorers(result: Result) -> None:
    """Show what every scorer said, with its reason."""
    told = result.detail.scores
    for name in dict.fromkeys((*told, *result.metrics)):
        score = result.metrics.get(name, told[name].score if name in told else None)
        st.markdown("  \n".join(_said(name, score, told.get(name))))


def _said(name: str, score: float | None, told: Told | None, depth: int = 0) -> Iterator[str]:
    """Give what a scorer said in lines: its verdict, the reason, and what its parts said."""
    icon = ":gray[:material/circle:]" if score is not None else ":orange[:material/warning:]"
    if told is not None and told.error is not None:
        icon = ":orange[:material/warning:]"
    elif told is not None and told.passed is not None:
        icon = ":green[:material/check:]" if told.passed else ":red[:material/close:]"
    indent = FIXED * 4 * depth
    yield f"{indent}{icon} **{plain(name)}** {plain('no score' if score is None else number(score))}"
    why = (told.error or told.reason) if told else None
    if why:
        yield f"{indent}:small[:gray[{plain(why)}]]"
    for part in told.parts if told else ():
        yield from _said(part.name or "part", part.score, part, depth + 1)


def _seen(result: Result) -> None:
    """Show what the model was told, folded away."""
    detail = result.detail
    if detail.messages:
        with st.expander("Messages", icon=":material/forum:"):
            for message in detail.messages:
                st.caption(plain(str(message.get("role", ""))))
                block(message.get("content") or message)
    if detail.passages:
        with st.expander(f"Passages ({len(detail.passages)})", icon=":material/menu_book:"):
            for passage in detail.passages:
                score = passage.get("score")
                where = f"{passage.get('document', '?')}, part {passage.get('chunk', '?')}"
                st.caption(plain(where + (f", score {number(score)}" if isinstance(score, float) else "")))
                if passage.get("text"):
                    block(passage["text"])
