"""A figure of traffic over time, with a line for each chosen version."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from promptuary_ui.traffic.figures import version_name
from promptuary_ui.wire.traffic import TrafficGroup


@dataclass(frozen=True)
class Figure:
    """A figure of a group of calls, with the title of its axis; None where the calls do not report it."""

    axis: str
    read: Callable[[TrafficGroup], float | None]
    number_format: str = ",.4~f"


FIGURES: dict[str, Figure] = {
    "Calls": Figure("calls", lambda group: group.calls),
    "Errors": Figure("share of calls that failed", lambda group: None if group.errors is None else group.errors.value, ".1%"),
    "Median latency": Figure("median latency in ms", lambda group: group.latency_ms.p50),
    "95th percentile of latency": Figure("95th percentile of latency in ms", lambda group: group.latency_ms.p95),
    "99th percentile of latency": Figure("99th percentile of latency in ms", lambda group: group.latency_ms.p99),
    "Input tokens": Figure("input tokens", lambda group: group.tokens.input),
    "Output tokens": Figure("output tokens", lambda group: group.tokens.output),
    "Cost": Figure("cost in US dollars", lambda group: group.cost.usd),
    "Feedback": Figure("mean feedback, from 0 to 1", lambda group: None if group.feedback is None else group.feedback.value),
    "Low feedback": Figure(
        "share of feedback that is low",
        lambda group: None if group.low_feedback_share is None else group.low_feedback_share.value,
        ".1%",
    ),
}


def plot_over_time(groups: Sequence[TrafficGroup], versions: Sequence[int | None], title: str) -> None:
    """Plot a figure of the chosen versions; a gap is a time without a call that reports it."""
    figure = FIGURES[title]
    names = [version_name(version) for version in versions]
    rows: list[dict[str, Any]] = [
        {"at": group.at.isoformat(), "version": version_name(group.version), "value": value, "calls": group.calls}
        for group in groups
        if group.at is not None and group.version in versions and (value := figure.read(group)) is not None
    ]
    if not rows:
        st.caption("No call of these versions reports it in this time.")
        return
    colour = {
        "field": "version",
        "type": "nominal",
        "title": "version",
        "scale": {"domain": names},
        "legend": {"orient": "top"},
    }
    spec: dict[str, Any] = {
        "height": 280,
        "mark": {"type": "line", "point": {"filled": True, "size": 45}, "interpolate": "monotone"},
        "encoding": {
            "x": {"field": "at", "type": "temporal", "title": None, "scale": {"type": "utc"}},
            "y": {
                "field": "value",
                "type": "quantitative",
                "title": figure.axis,
                "scale": {"zero": True},
                "axis": {"format": figure.number_format},
            },
            "color": colour,
            "tooltip": [
                {"field": "at", "type": "temporal", "title": "from (UTC)", "format": "%Y-%m-%d %H:%M"},
                {"field": "version", "title": "version"},
                {"field": "value", "title": figure.axis, "format": figure.number_format},
                {"field": "calls", "title": "calls"},
            ],
        },
    }
    summary = ", ".join(f"{row['version']} {row['at'][:16]}: {row['value']:g}" for row in rows[-20:])
    st.vega_lite_chart(rows, spec, width="stretch", alt=f"{title} over time. {summary}"[:2000])
