"""The figures of a prompt's traffic in tables: one row a version, and the calls whose prompt is unknown."""

from collections.abc import Sequence

import streamlit as st

from promptuary_ui.components.number_format import format_count, format_latency, format_score, format_usd
from promptuary_ui.wire.traffic import Traffic, TrafficGroup, TrafficShare

UNKNOWN_VERSION = "version not known"
REASONS = {
    "no_prompt": "The call names no prompt, and no rule of the project maps it to one.",
    "unknown_prompt": "The call names a prompt that this project does not have.",
    "unknown_version": "The call names a version that the prompt does not have.",
    "no_version": "The call names the prompt without a version.",
}


def version_name(version: int | None) -> str:
    """Return how tables and plots name a version."""
    return UNKNOWN_VERSION if version is None else f"v{version}"


def show_totals(traffic: Traffic) -> None:
    """Show the most important figures of all calls."""
    total = traffic.total
    figures = [
        ("Calls", format_count(total.calls)),
        ("Errors", _percent(total.errors)),
        ("Median latency", format_latency(total.latency_ms.p50) or "not known"),
        ("Feedback", "none" if total.feedback is None else format_score(total.feedback.value)),
        ("Cost", format_usd(total.cost.usd) or "not known"),
    ]
    with st.container(horizontal=True, gap="medium"):
        for title, value in figures:
            st.metric(title, value, width="content")


def show_versions(traffic: Traffic) -> None:
    """Show a table with a row for each version, with the intervals of its shares."""
    st.dataframe([_row(group) for group in traffic.totals], hide_index=True, width="stretch", key="traffic.versions")
    st.caption(
        "In brackets are 95 % intervals. Latencies are read off a histogram, exact to a factor of "
        f"{traffic.bucket_ratio:.2f}. Tokens and cost are those of the calls that report them; an empty cell is not known. "
        "A replayable call reports the variables of its prompt."
    )


def _row(group: TrafficGroup) -> dict[str, str]:
    latency, tokens = group.latency_ms, group.tokens
    return {
        "Version": version_name(group.version),
        "Calls": format_count(group.calls),
        "Errors": _interval(group.errors),
        "Incomplete": format_count(group.incomplete),
        "p50": format_latency(latency.p50),
        "p95": format_latency(latency.p95),
        "p99": format_latency(latency.p99),
        "Tokens in": format_count(tokens.input),
        "Tokens out": format_count(tokens.output),
        "Cost": format_usd(group.cost.usd),
        "Feedback": _mean(group.feedback),
        "Low feedback": _interval(group.low_feedback_share),
        "Replayable": _percent(group.replayable),
        "Redacted": format_count(group.redacted),
    }


def show_unattributed(groups: Sequence[TrafficGroup]) -> None:
    """Show how many calls could not be counted for a version, and why."""
    unattributed = [group for group in groups if group.reason]
    if not unattributed:
        return
    calls = sum(group.calls for group in unattributed)
    with st.expander(
        f"{format_count(calls)} {'call' if calls == 1 else 'calls'} without a known version", icon=":material/help:"
    ):
        rows = [
            {
                "Calls": format_count(group.calls),
                "Prompt": group.prompt or "",
                "Why": REASONS.get(group.reason or "", group.reason or ""),
            }
            for group in unattributed
        ]
        st.dataframe(rows, hide_index=True, width="stretch", key="traffic.unattributed")
        st.caption("`promptuary traffic settings set --rules FILE` maps calls by their service, span name or attributes.")


def _percent(share: TrafficShare | None) -> str:
    return "" if share is None else f"{100 * share.value:.1f} %"


def _interval(share: TrafficShare | None) -> str:
    return "" if share is None else f"{_percent(share)}  [{100 * share.low:.1f}, {100 * share.high:.1f}]"


def _mean(share: TrafficShare | None) -> str:
    if share is None:
        return ""
    return (
        f"{format_score(share.value)}  [{format_score(share.low)}, {format_score(share.high)}] of {format_count(share.count)}"
    )
