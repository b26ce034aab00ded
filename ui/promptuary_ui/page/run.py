"""One run: what its gate says, the figures with their intervals, how the scores lie, and every case behind them."""

from typing import Any

import streamlit as st

from promptuary_ui import session
from promptuary_ui.client import ApiError
from promptuary_ui.components import badges, case_list, plots
from promptuary_ui.components.error_display import display_errors, error_message
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
"""Seconds between looks at a run that is under way."""
EARLIER_RUN_LIMIT = 50
"""How many earlier runs are offered to be compared with."""


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
    summary, listed = st.tabs([SUMMARY, CASES], key=tab, default=_default_tab(), on_change=_keep_tab_in_address, args=(tab,))
    with summary:
        if summary.open:
            _show_summary(run)
    with listed:
        if listed.open:
            case_list.show(run)


def leave_run() -> None:
    """Go back to the list."""
    for name in (RUN, BASELINE, TAB, case_list.CASE):
        st.query_params.pop(name, None)


def describe_run(run: Run) -> str:
    """Give what a run is about: the candidates, and what they are held against."""
    sides: dict[str, list[str]] = {"candidate": [], "baseline": []}
    for variant in run.variants:
        sides.setdefault(variant.role, []).append(variant.name)
    told = ", ".join(sides["candidate"])
    against = ", ".join(sides["baseline"])
    return " ".join(part for part in (run.prompt, told, f"against {against}" if against else "") if part)


def _default_tab() -> str:
    """Give the tab that a link means; one that names a case means the cases."""
    return CASES if case_list.CASE in st.query_params or st.query_params.get(TAB) == CASES else SUMMARY


def _keep_tab_in_address(tab: str) -> None:
    """Keep the tab in the address. Each run has its own, so that one begins with its summary whatever another showed."""
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
    """Offer what can be done with a run: compare a finished one, stop one that is under way."""
    if run.state == "finished":
        _offer_comparison(run)
    if not run.over and session.has_scope("run:write"):
        with st.popover("Cancel", icon=":material/cancel:"):
            st.write("Stop this run? The results that it has are kept; it cannot be taken up again.")
            st.button("Stop the run", type="primary", on_click=_cancel, args=(run.id,))


def _cancel(run: str) -> None:
    try:
        session.api().cancel(run)
        session.set_notice("The run is stopped.")
    except ApiError as error:
        session.set_notice(error_message(error))


def _offer_comparison(run: Run) -> None:
    """Offer the suite's other finished runs to be compared with."""
    with st.popover("Compare", icon=":material/compare_arrows:"):
        found = session.api().runs(EARLIER_RUN_LIMIT, suite=run.suite, state="finished").items
        others = {one.id: one for one in found if one.id != run.id}
        if not others:
            st.caption("The suite has no other finished run.")
            return
        titles = {key: f"{format_time(one.created_at)} · {describe_run(one)} · {one.verdict}" for key, one in others.items()}
        chosen = st.selectbox("Against the run of", list(others), format_func=titles.__getitem__, key=f"against.{run.id}")
        st.button("Compare both", type="primary", on_click=_compare_with, args=(chosen,))


def _compare_with(baseline: str) -> None:
    st.query_params[BASELINE] = baseline


def _show_progress(name: str) -> None:
    """Show how far a run is; once it is over, the page is drawn anew with what it says."""
    run = session.api().run(name)
    if run.over:
        st.rerun()
    said = "Waits for a worker" if run.state == "queued" else f"{format_count(run.done)} of {format_count(run.total)} results"
    spent = f" · {format_usd(run.spent)}" if run.spent else ""
    st.progress(run.done / run.total if run.total else 0.0, text=escape_markdown(said + spent))


def _show_summary(run: Run) -> None:
    if run.summary is None:
        if not run.over:
            st.info(
                "The figures come when the run is finished. Results are under Cases as they come.", icon=":material/schedule:"
            )
        else:
            st.info("The run did not finish, so it has no figures. What it has is under Cases.", icon=":material/inbox:")
        return
    summary = run.summary
    badges.show_gates(summary)
    if summary.stopped_early:
        st.info("The run stopped early: what its gate asks was settled before the last case.", icon=":material/flag:")
    if summary.unrunnable:
        st.caption(
            f"{format_count(summary.unrunnable)} of {format_count(summary.results)} results have no verdict; they are left out."
        )
    _show_variants(summary)
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
        rows.append({"variant": variant.name, "model": variant.model, **figures})
    st.dataframe(rows, hide_index=True, width="stretch")
    st.caption("Mean over cases with its interval. What could not be scored is left out and counted, never a zero.")
    if summary.metrics_left_out:
        st.caption(f"{format_count(summary.metrics_left_out)} more metrics of single cases are left out here.")
    plots.plot_means(summary)


def _show_usage(summary: Summary) -> None:
    """Show what every variant took, as far as is known."""
    st.subheader("What it took", anchor=False)
    rows: list[dict[str, Any]] = []
    for variant in summary.variants:
        took, tokens = variant.latency_ms, variant.tokens
        rows.append(
            {
                "variant": variant.name,
                "results": format_count(variant.results),
                "errors": format_count(variant.errors),
                "no verdict": format_count(variant.unrunnable),
                "time, median": format_latency(took.median) if took else UNKNOWN,
                "time, slowest": format_latency(took.slowest) if took else UNKNOWN,
                "tokens in": format_count(tokens.input) if tokens else UNKNOWN,
                "tokens out": format_count(tokens.output) if tokens else UNKNOWN,
                "cost": UNKNOWN if variant.cost is None else format_usd(variant.cost),
            }
        )
    st.dataframe(rows, hide_index=True, width="stretch")


def show_comparisons(found: list[Comparison]) -> None:
    """Show paired differences as a table."""
    st.subheader("Differences", anchor=False)
    tested = any(one.p_value is not None for one in found)
    adjusted = any(one.adjusted is not None for one in found)
    st.dataframe(
        [
            {
                "comparison": f"{one.candidate} − {one.baseline}",
                "metric": one.metric,
                "difference": format_interval(one.interval, signed=True),
                **({"p": format_p_value(one.p_value)} if tested else {}),
                **({"p, adjusted": format_p_value(one.adjusted)} if adjusted else {}),
                "cases": one.cases,
                "better": one.gains,
                "worse": one.losses,
            }
            for one in found
        ],
        hide_index=True,
        width="stretch",
    )
    more = " P-values are adjusted by Holm's method over the metrics of the gate." if adjusted else ""
    st.caption("Paired: the same cases under both, the candidate minus the baseline." + more)


def _show_scores(run: Run, summary: Summary) -> None:
    """Show how one metric's values lie, by variant and by cluster."""
    st.subheader("Scores", anchor=False)
    metric = st.selectbox("Metric", summary.metrics, key=f"spread.{run.id}", persist_state="page", width=260)
    if metric is None:
        return
    found = _load_distribution(run.id, metric)
    names = [variant.name for variant in summary.variants]
    plots.plot_histogram(found, names)
    if found.means:
        plots.plot_clusters(found, names)


def _load_distribution(run: str, metric: str) -> Distribution:
    """A finished run's values do not change, so what was asked last is kept."""
    kept = st.session_state.get("run.distribution")
    if kept is None or kept[0] != (run, metric):
        kept = ((run, metric), session.api().distribution(run, metric))
        st.session_state["run.distribution"] = kept
    found: Distribution = kept[1]
    return found


_live_progress = st.fragment(display_errors(_show_progress), run_every=LIVE_SECONDS)
