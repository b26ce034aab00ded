"""Verdicts: of a run as a badge, of a gate's demands as sentences, of a result as a word with its colour."""

import streamlit as st

from promptuary_ui.evaluations import Result, Run, Summary
from promptuary_ui.parts.text import plain

VERDICTS = {
    "pass": ("green", ":material/check_circle:"),
    "regression": ("red", ":material/trending_down:"),
    "inconclusive": ("orange", ":material/help:"),
    "infrastructure": ("gray", ":material/build:"),
}
STATES = {
    "queued": ("gray", ":material/schedule:"),
    "running": ("blue", ":material/play_circle:"),
    "finished": ("gray", ":material/done:"),
    "failed": ("red", ":material/error:"),
    "cancelled": ("gray", ":material/cancel:"),
}
RESULTS = {
    "passed": ("green", ":material/check:"),
    "failed": ("red", ":material/close:"),
    "error": ("orange", ":material/warning:"),
}
_OTHER = ("gray", ":material/help:")


def badge(run: Run) -> None:
    """Show a run's verdict, or its state while it has none."""
    colour, icon = VERDICTS.get(run.verdict or "") or STATES.get(run.state, _OTHER)
    st.badge(plain(run.verdict or run.state), color=colour, icon=icon)


def of_result(result: Result) -> None:
    """Show a result's verdict."""
    colour, icon = RESULTS[result.verdict]
    st.badge(result.verdict, color=colour, icon=icon)


def gates(summary: Summary) -> None:
    """Show every demand of the gate with its sentence."""
    for gate in summary.gates:
        colour, icon = VERDICTS.get(gate.verdict, _OTHER)
        st.markdown(f":{colour}[{icon}] **{plain(gate.verdict)}**: {plain(gate.sentence)}")
    if not summary.gates:
        st.caption("The suite has no gate, so the run shows figures and holds nothing back.")
