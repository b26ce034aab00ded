"""The traffic page: what a prompt does in production, by version and over time, and sampled calls."""

from datetime import UTC, datetime, timedelta

import streamlit as st

from promptuary_ui import session
from promptuary_ui.components.text import escape_markdown
from promptuary_ui.traffic.comparison import show_comparison
from promptuary_ui.traffic.figures import show_totals, show_unattributed, show_versions, version_name
from promptuary_ui.traffic.plots import FIGURES, plot_over_time
from promptuary_ui.traffic.sample import show_sample
from promptuary_ui.wire.traffic import Traffic

PROMPT, PERIOD = "prompt", "period"
PERIODS = {"24h": ("the last 24 hours", timedelta(days=1), "hour"), "7d": ("the last 7 days", timedelta(days=7), "day")}
PERIODS |= {"30d": ("the last 30 days", timedelta(days=30), "day"), "90d": ("the last 90 days", timedelta(days=90), "day")}
HOW_TO_SEND = (
    "No call has been counted in this time. Applications send their model calls over OpenTelemetry, or with the client:"
)
EXAMPLE = """export OTEL_EXPORTER_OTLP_ENDPOINT={url}/v1/otlp
export OTEL_EXPORTER_OTLP_HEADERS="authorization=Bearer%20$PROMPTUARY_KEY"  # a key with the role `service`
export OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf"""
SHOWN_VERSIONS = 2


def show() -> None:
    """Show the traffic of the chosen prompt."""
    st.title("Traffic", anchor=False)
    period = _choose_period()
    _, length, step = PERIODS[period]
    start = (datetime.now(UTC) - length).isoformat(timespec="seconds")
    project = session.api().traffic(start)
    names = _prompts_by_calls(project)
    if not names:
        st.info(HOW_TO_SEND, icon=":material/cell_tower:")
        st.code(EXAMPLE.format(url=session.api().http.base_url), language="bash")
        show_unattributed(project.totals)
        return
    requested = st.query_params.get(PROMPT)
    index = names.index(requested) if requested in names else 0
    name = st.selectbox("Prompt", names, index=index, key="traffic.prompt", format_func=str)
    st.query_params[PROMPT] = name
    traffic = session.api().prompt_traffic(name, start, f"version,{step}")
    show_totals(traffic)
    _show_over_time(name, traffic)
    st.subheader("By version", anchor=False)
    show_versions(traffic)
    known = [group.version for group in traffic.totals if group.version is not None]
    show_comparison(name, start, sorted(known, reverse=True))
    show_unattributed([group for group in project.totals if group.prompt in (None, name)])
    if session.has_scope("observation:read"):
        st.subheader("Sampled calls", anchor=False)
        show_sample(name, start)


def _choose_period() -> str:
    requested = st.query_params.get(PERIOD)
    options = list(PERIODS)
    index = options.index(requested) if requested in options else options.index("30d")
    titles = {period: title for period, (title, _, _) in PERIODS.items()}
    period = str(st.selectbox("Time", options, index=index, key="traffic.period", format_func=titles.__getitem__))
    st.query_params[PERIOD] = period
    return period


def _prompts_by_calls(project: Traffic) -> list[str]:
    """Return the prompts with traffic, the one with the most calls first."""
    calls: dict[str, int] = {}
    for group in project.totals:
        if group.prompt:
            calls[group.prompt] = calls.get(group.prompt, 0) + group.calls
    return sorted(calls, key=lambda name: (-calls[name], name))


def _show_over_time(name: str, traffic: Traffic) -> None:
    versions = [group.version for group in sorted(traffic.totals, key=lambda group: group.version or 0, reverse=True)]
    st.subheader("Over time", anchor=False)
    figure_column, version_column = st.columns(2)
    with figure_column:
        figure = st.selectbox("Figure", list(FIGURES), key="traffic.figure")
    with version_column:
        chosen = st.multiselect(
            "Versions", versions, default=versions[:SHOWN_VERSIONS], format_func=version_name, key=f"traffic.versions.{name}"
        )
    if not chosen:
        st.caption("Choose a version.")
        return
    plot_over_time(traffic.items, chosen, figure)
    st.caption(f"{escape_markdown(figure)}, in UTC.")
