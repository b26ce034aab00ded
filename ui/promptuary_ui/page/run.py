"""One run: the verdict of its gate, the figures with their intervals, the distribution of scores, and every case."""

from typing import Any

import streamlit as st

from promptuary_ui import session
from promptuary_ui.client import ApiError
from promptuary_ui.components import badges, case_list, judge_figures, plots, queue_form
from promptuary_ui.components.error_display import display_errors
from promptuary_ui.components.number_format import (
    UNKNOWN,
    format_count,
    format_duration,
    format_interval,
    format_latency,
    format_p_value,
    format_usd,
)
from promptuary_ui.components.text import escape_markdown, format_time
from promptuary_ui.wire.runs import Comparison, Distribution, Run, Summary

RUN, BASELINE = "run", "baseline"
TAB = "view"
SUMMARY, CASES = "Summary", "Cases"
LIVE_SECONDS = 2.0
"""Seconds between refreshes of an active run."""
EARLIER_RUN_LIMIT = 50
"""The number of earlier runs that are offered as a baseline."""


def show(name: str) -> None:
    """Show a run by its id."""
    run = session.api().run(name)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.title(escape_markdown(run.suite), anchor=False)
        _show_actions(run)
        st.button("All runs", icon=":material/arrow_back:", on_click=leave_run)
    note = session.pop_notice()
    if note:
        st.caption(f":material/info: {escape_markdown(note)}")
    _show_head(run)
    if run.error:
        st.error(escape_markdown(run.error), icon=":material/error:")
    if not run.over:
        _live_progress(run.id)
    tab = f"{TAB}.{run.id}"
    summary, results = st.tabs([SUMMARY, CASES], key=tab, default=_default_tab(), on_change=_keep_tab_in_address, args=(tab,))
    with summary:
        if summary.open:
            _show_summary(run)
    with results:
        if results.open:
            case_list.show(run)


def leave_run() -> None:
    """Return to the list of runs."""
    for name in (RUN, BASELINE, TAB, case_list.CASE):
        st.query_params.pop(name, None)


def describe_run(run: Run) -> str:
    """Return the run's prompt if it has one, its candidates and its baselines as a text."""
    sides: dict[str, list[str]] = {"candidate": [], "baseline": []}
    for variant in run.variants:
        sides.setdefault(variant.role, []).append(variant.name)
    candidates = ", ".join(sides["candidate"])
    against = ", ".join(sides["baseline"])
    return " ".join(part for part in (run.prompt, candidates, f"against {against}" if against else "") if part)


def _default_tab() -> str:
    """Return the tab that the address names; an address with a case names the cases."""
    return CASES if case_list.CASE in st.query_params or st.query_params.get(TAB) == CASES else SUMMARY


def _keep_tab_in_address(tab: str) -> None:
    """Store the tab in the address. Each run has its own tab, so that a newly opened run begins with its summary."""
    st.query_params[TAB] = st.session_state[tab]


def _show_head(run: Run) -> None:
    facts = [
        describe_run(run),
        run.who,
        f"{format_count(run.done)} of {format_count(run.total)} results" if run.over else "",
        format_duration(run.started_at, run.finished_at),
        format_usd(run.spent or None),
    ]
    with st.container(horizontal=True, vertical_alignment="center"):
        badges.show_run_badge(run)
        if run.schedule:
            st.badge(escape_markdown(run.schedule), icon=":material/calendar_clock:", color="gray")
        st.caption(
            f"{format_time(run.created_at)} · {escape_markdown(' · '.join(fact for fact in facts if fact))}", width="content"
        )
        st.caption(f"`{run.id}`", width="content")


def _show_actions(run: Run) -> None:
    """Show the actions on a run: send its results to review, compare a finished one, cancel an active one."""
    queue_form.show(run)
    if run.state == "finished":
        _offer_comparison(run)
    if (not run.over or run.state == "interrupted") and session.has_scope("run:write"):
        with st.popover("Cancel", icon=":material/cancel:"):
            st.write("Cancel this run? Its results so far are kept; it cannot be resumed.")
            st.button("Cancel the run", type="primary", on_click=_cancel, args=(run.id,))


def _cancel(run: str) -> None:
    try:
        session.api().cancel(run)
        session.set_notice("The run is cancelled.")
    except ApiError as error:
        session.set_notice(error.sentence)


def _offer_comparison(run: Run) -> None:
    """Show the suite's other finished runs as baselines."""
    with st.popover("Compare", icon=":material/compare_arrows:"):
        page = session.api().runs(EARLIER_RUN_LIMIT, suite=run.suite, state="finished")
        others = {other.id: other for other in page.items if other.id != run.id}
        if not others:
            st.caption("The suite has no other finished run.")
            return
        titles = {
            key: " · ".join((format_time(other.created_at), describe_run(other), str(other.verdict)))
            for key, other in others.items()
        }
        chosen = st.selectbox("Baseline run", list(others), format_func=titles.__getitem__, key=f"against.{run.id}")
        st.button("Compare runs", type="primary", on_click=_compare_with, args=(chosen,))


def _compare_with(baseline: str) -> None:
    st.query_params[BASELINE] = baseline


def _show_progress(name: str) -> None:
    """Show the progress of a run; once it has ended, rerun the whole page."""
    run = session.api().run(name)
    if run.over:
        st.rerun()
    progress = (
        "Waiting for a worker" if run.state == "queued" else f"{format_count(run.done)} of {format_count(run.total)} results"
    )
    spent = f" · {format_usd(run.spent)}" if run.spent else ""
    st.progress(run.done / run.total if run.total else 0.0, text=escape_markdown(progress + spent))


def _show_summary(run: Run) -> None:
    if run.summary is None:
        if not run.over:
            st.info(
                "The figures appear when the run is finished; results appear under Cases earlier.",
                icon=":material/schedule:",
            )
        else:
            st.info("The run did not finish, so it has no figures. Its results are under Cases.", icon=":material/inbox:")
        return
    summary = run.summary
    badges.show_gates(summary)
    if summary.stopped_early:
        st.info("The run stopped early: its gate was decided before the last case.", icon=":material/flag:")
    if summary.unrunnable:
        st.caption(
            f"{format_count(summary.unrunnable)} of {format_count(summary.results)} results have no verdict; they are left out."
        )
    _show_variants(summary)
    if summary.judges and run.state == "finished":
        judge_figures.show(session.api().corrections(run.id))
    if summary.comparisons:
        show_comparisons(summary.comparisons)
        plots.plot_differences(summary.comparisons, summary.gates)
    _show_usage(summary)
    _show_scores(run, summary)


def _show_variants(summary: Summary) -> None:
    st.subheader("Variants", anchor=False)
    rows: list[dict[str, Any]] = []
    for variant in summary.variants:
        figures = {
            metric: format_interval(variant.metrics[metric].interval) for metric in summary.metrics if metric in variant.metrics
        }
        rows.append({"variant": variant.name, "model": variant.model or "application", **figures})
    st.dataframe(rows, hide_index=True, width="stretch")
    st.caption("Mean over cases with its interval. Results without a score are left out and counted, never a zero.")
    for variant in summary.variants:
        if variant.target_versions:
            stated = ", ".join(variant.target_versions)
            changed = ": it changed during the run" if len(variant.target_versions) > 1 else ""
            st.caption(escape_markdown(f"{variant.name} answered as version {stated}{changed}."))
    if summary.metrics_left_out:
        st.caption(f"{format_count(summary.metrics_left_out)} more metrics of single cases are left out here.")
    plots.plot_means(summary)


def _show_usage(summary: Summary) -> None:
    """Show the latency, tokens and cost of every variant, as far as they are known."""
    st.subheader("Usage", anchor=False)
    rows: list[dict[str, Any]] = []
    for variant in summary.variants:
        latency, tokens = variant.latency_ms, variant.tokens
        rows.append(
            {
                "variant": variant.name,
                "results": format_count(variant.results),
                "errors": format_count(variant.errors),
                "no verdict": format_count(variant.unrunnable),
                "time, median": format_latency(latency.median) if latency else UNKNOWN,
                "time, slowest": format_latency(latency.slowest) if latency else UNKNOWN,
                "tokens in": format_count(tokens.input) if tokens else UNKNOWN,
                "tokens out": format_count(tokens.output) if tokens else UNKNOWN,
                "cost": UNKNOWN if variant.cost is None else format_usd(variant.cost),
            }
        )
    st.dataframe(rows, hide_index=True, width="stretch")


def show_comparisons(comparisons: list[Comparison]) -> None:
    """Show paired differences as a table."""
    st.subheader("Differences", anchor=False)
    tested = any(comparison.p_value is not None for comparison in comparisons)
    adjusted = any(comparison.adjusted is not None for comparison in comparisons)
    st.dataframe(
        [
            {
                "comparison": f"{comparison.candidate} − {comparison.baseline}",
                "metric": comparison.metric,
                "difference": format_interval(comparison.interval, signed=True),
                **({"p": format_p_value(comparison.p_value)} if tested else {}),
                **({"p, adjusted": format_p_value(comparison.adjusted)} if adjusted else {}),
                "cases": comparison.cases,
                "better": comparison.gains,
                "worse": comparison.losses,
            }
            for comparison in comparisons
        ],
        hide_index=True,
        width="stretch",
    )
    more = " P-values are adjusted by Holm's method over the metrics of the gate." if adjusted else ""
    st.caption("Paired: the same cases under both, the candidate minus the baseline." + more)


def _show_scores(run: Run, summary: Summary) -> None:
    """Show the distribution of one metric's values, by variant and by cluster."""
    st.subheader("Scores", anchor=False)
    metric = st.selectbox("Metric", summary.metrics, key=f"spread.{run.id}", persist_state="page", width=260)
    if metric is None:
        return
    distribution = _load_distribution(run.id, metric)
    names = [variant.name for variant in summary.variants]
    plots.plot_histogram(distribution, names)
    if distribution.means:
        plots.plot_clusters(distribution, names)


def _load_distribution(run: str, metric: str) -> Distribution:
    """Return a distribution; the last one is cached, since a finished run's values do not change."""
    cached = st.session_state.get("run.distribution")
    if cached is None or cached[0] != (run, metric):
        cached = ((run, metric), session.api().distribution(run, metric))
        st.session_state["run.distribution"] = cached
    distribution: Distribution = cached[1]
    return distribution


_live_progress = st.fragment(display_errors(_show_progress), run_every=LIVE_SECONDS)
