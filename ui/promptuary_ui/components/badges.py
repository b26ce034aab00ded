"""Badges of runs and results, and the verdicts of a gate."""

import streamlit as st

from promptuary_ui.components.text import escape_markdown
from promptuary_ui.wire.runs import Result, Run, Summary, Turn

VERDICT_STYLES = {
    "pass": ("green", ":material/check_circle:"),
    "regression": ("red", ":material/trending_down:"),
    "inconclusive": ("orange", ":material/help:"),
    "infrastructure": ("gray", ":material/build:"),
    "no gate": ("gray", ":material/remove:"),
}
STATE_STYLES = {
    "queued": ("gray", ":material/schedule:"),
    "running": ("blue", ":material/play_circle:"),
    "finished": ("gray", ":material/done:"),
    "failed": ("red", ":material/error:"),
    "cancelled": ("gray", ":material/cancel:"),
    "interrupted": ("orange", ":material/pause_circle:"),
    "stopped": ("orange", ":material/money_off:"),
}
RESULT_STYLES = {
    "passed": ("green", ":material/check:"),
    "failed": ("red", ":material/close:"),
    "error": ("orange", ":material/warning:"),
}
_UNKNOWN_STYLE = ("gray", ":material/help:")


def show_run_badge(run: Run) -> None:
    """Show a run's verdict, or its state while it has none."""
    colour, icon = VERDICT_STYLES.get(run.verdict or "") or STATE_STYLES.get(run.state, _UNKNOWN_STYLE)
    st.badge(escape_markdown(run.verdict or run.state), color=colour, icon=icon)


def show_result_badge(result: Result | Turn) -> None:
    """Show the verdict of a result, or of a turn of a conversation."""
    colour, icon = RESULT_STYLES[result.verdict]
    st.badge(result.verdict, color=colour, icon=icon)


def show_gates(summary: Summary) -> None:
    """Show every condition of the gate with its verdict and sentence."""
    for gate in summary.gates:
        colour, icon = VERDICT_STYLES.get(gate.verdict, _UNKNOWN_STYLE)
        st.markdown(f":{colour}[{icon}] **{escape_markdown(gate.verdict)}**: {escape_markdown(gate.sentence)}")
    if not summary.gates:
        st.caption("No gate: the suite demands nothing, so this run neither passes nor fails.")
