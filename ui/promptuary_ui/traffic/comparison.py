"""Two versions of a prompt side by side: whether the candidate is worse than the baseline."""

from collections.abc import Sequence

import streamlit as st

from promptuary_ui import session
from promptuary_ui.traffic.figures import version_name
from promptuary_ui.wire.traffic import ComparedFigure

NAMES = {
    "calls": "Calls",
    "errors": "Errors (share)",
    "incomplete": "Incomplete (share)",
    "latency_p50_ms": "Latency p50 (ms)",
    "latency_p95_ms": "Latency p95 (ms)",
    "latency_p99_ms": "Latency p99 (ms)",
    "feedback": "Feedback (mean)",
    "low_feedback": "Low feedback (share)",
    "input_tokens": "Input tokens a call",
    "output_tokens": "Output tokens a call",
    "cost_usd": "Cost a call ($)",
}
FINDINGS = {"worse": "worse", "better": "better", "unclear": "no difference shown"}


def show_comparison(prompt: str, start: str, versions: Sequence[int]) -> None:
    """Show two of some versions, the newest first in the list, on demand."""
    if len(versions) < 2 or not st.toggle("Compare two versions", key="traffic.compare"):
        return
    baseline_column, candidate_column = st.columns(2)
    with baseline_column:
        baseline = st.selectbox("Baseline", versions, index=1, format_func=version_name, key=f"traffic.baseline.{prompt}")
    with candidate_column:
        candidate = st.selectbox("Candidate", versions, format_func=version_name, key=f"traffic.candidate.{prompt}")
    if baseline == candidate:
        st.caption("Choose two different versions.")
        return
    figures = session.api().compare_traffic(prompt, start, baseline, candidate).figures
    worse = [_name(figure) for figure in figures if figure.finding == "worse"]
    if worse:
        st.warning(f"{version_name(candidate)} is worse than {version_name(baseline)} in: {', '.join(worse)}.")
    st.dataframe([_row(figure) for figure in figures], hide_index=True, width="stretch", key="traffic.comparison")
    st.caption(
        "Differences are candidate - baseline, with 95 % intervals; each is looked at by itself, so that of twenty figures "
        "one may seem to differ by chance. Tokens and cost are means without an interval. Scores are of sampled calls, "
        "weighted by what each stands for."
    )


def _row(figure: ComparedFigure) -> dict[str, str]:
    difference = figure.difference
    return {
        "Figure": _name(figure),
        "Baseline": _number(figure.baseline),
        "Candidate": _number(figure.candidate),
        "Difference": "" if difference is None else f"{difference.estimate:+.4g}",
        "95 % interval": "" if difference is None else f"[{difference.low:+.4g}, {difference.high:+.4g}]",
        "Finding": FINDINGS.get(figure.finding or "", ""),
    }


def _name(figure: ComparedFigure) -> str:
    return NAMES.get(figure.name, figure.name.replace("score:", "Score "))


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:,.4g}"
