"""The differences between two versions: the breaking ones with their reasons, then every change as text, by part."""

import json
from itertools import groupby
from typing import Any

import streamlit as st

from promptuary_ui.components.text import escape_hidden, escape_markdown, format_value, shorten_data
from promptuary_ui.wire.prompts import Change, Diff

TITLES = {
    "type": "Type",
    "template": "Template",
    "format": "Format",
    "variables": "Variables",
    "model": "Model",
    "config": "Configuration",
    "response_format": "Response format",
    "tools": "Tools",
    "partials": "Included",
    "context": "Context",
}
ONE_LINE_LIMIT = 90
COLORS = {"added": "green", "removed": "red", "changed": "orange"}


def show_changes(diff: Diff, before: int, *, beside: bool) -> None:
    """Show a diff; `before` is the number of the earlier version, `beside` shows both texts side by side."""
    if not diff.changes:
        st.info("Nothing changed.", icon=":material/check:")
        return
    if diff.breaking:
        reasons = "".join(f"\n- {escape_markdown(escape_hidden(reason))}" for reason in diff.reasons)
        st.error(f"**Breaks programs that work with v{before}:**{reasons}", icon=":material/warning:")
    else:
        st.success(f"Nothing here breaks a program that works with v{before}.", icon=":material/check:")
    for part, part_changes in groupby(diff.changes, key=lambda change: change.part):
        st.markdown(f"**{escape_markdown(TITLES.get(part, part))}**")
        for change in part_changes:
            _show_change(change, beside=beside)


def _show_change(change: Change, *, beside: bool) -> None:
    short = _one_line(change)
    with st.container(gap="xxsmall"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.badge(escape_markdown(change.kind), color=COLORS.get(change.kind, "gray"))
            if change.breaking:
                st.badge("breaking", icon=":material/warning:", color="red")
            st.caption(escape_markdown(escape_hidden(change.path)), width="content")
        if short is not None:
            st.text(escape_hidden(short))
        elif beside:
            for column, value in zip(st.columns(2), (change.before, change.after), strict=True):
                with column:
                    _show_code(_text(value), "absent" if value is None else "empty")
        else:
            _show_code(_lines(change), "empty", language="diff")


def _one_line(change: Change) -> str | None:
    """Return a change that fits on one line; None for a text diff or a longer change."""
    if change.diff is not None:
        return None
    sides = {"added": [change.after], "removed": [change.before]}.get(change.kind, [change.before, change.after])
    line = " → ".join(
        _text(side) if isinstance(side, str) or _is_message(side) else shorten_data(json.dumps(side, ensure_ascii=False))
        for side in sides
    )
    return line if line and len(line) <= ONE_LINE_LIMIT and "\n" not in line else None


def _show_code(text: str, otherwise: str, language: str | None = None) -> None:
    st.code(escape_hidden(text) or f"({otherwise})", language=language, wrap_lines=True)


def _lines(change: Change) -> str:
    """Return a change as lines that begin with a space, `-` or `+`."""
    if change.diff is not None:
        return change.diff
    sides = (
        ("" if change.kind == "added" else "-", _text(change.before)),
        ("" if change.kind == "removed" else "+", _text(change.after)),
    )
    return "\n".join(sign + line for sign, text in sides if sign for line in text.split("\n"))


def _text(value: Any) -> str:
    """Return a value as text; a message as its content after its role."""
    if _is_message(value):
        return f"[{value['role']}] {value.get('content', value.get('name'))}"
    return "" if value is None else shorten_data(format_value(value))


def _is_message(value: Any) -> bool:
    return isinstance(value, dict) and set(value) in ({"role", "content"}, {"role", "name"})
