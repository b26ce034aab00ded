"""One run: what its gate says, the figures with their intervals, how the scores lie, and every case behind them."""

from typing import Any

import streamlit as st

from promptuary_ui import session
from promptuary_ui.client import ApiError
from promptuary_ui.evaluations import Comparison, Distribution, Run, Summary
from promptuary_ui.parts import cases, plots, verdict
from promptuary_ui.parts.figures import UNKNOWN, chance, count, lasted, money, span, time
from promptuary_ui.parts.guard import guarded, sentence
from promptuary_ui.parts.text import plain, when

RUN, BASELINE = "run", "baseline"
TAB = "view"
SUMMARY, CASES = "Summary", "Cases"
LIVE = 2.0
"""Seconds between looks at a run that is under way."""
OTHERS = 50
"""How many earlier runs are offered to be compared with."""


def show(name: str) -> None:
    """Show a run by its id."""
    run = session.api().run(name)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.title(plain(run.suite), anchor=False)
        _actions(run)
        st.button("All runs", icon=":material/arrow_back:", on_click=leave)
    note = session.taken_note()
    if note:
        st.caption(f":material/info: {plain(note)}")
    _head(run)
    if run.error:
        st.error(plain(run.error), icon=":material/error:")
    if not run.over:
        _under_way(run.id)
    summary, listed = st.tabs([SUMMARY, CASES], key=TAB, bind="query-params", default=_first(run))
    with summary:
        if summary.open:
            _summary(run)
    with listed:
        if listed.open:
            cases.show(run)


def leave() -> None:
    """Go back to the list; the next run begins with its summary."""
    st.session_state[TAB] = SUMMARY
    for name in (RUN, BASELINE, cases.CASE):
        st.query_params.pop(name, None)


def tried(run: Run) -> str:
    """Give what a run is about: the candidates, and what they are held against."""
    sides: dict[str, list[str]] = {"candidate": [], "baseline": []}
    for variant in run.variants:
        sides.setdefault(variant.role, []).append(variant.name)
    told = ", ".join(sides["candidate"])
    against = ", ".join(sides["baseline"])
    return " ".join(part for part in (run.prompt, told, f"against {against}" if against else "") if part)


def _first(run: Run) -> str:
    """A link that names a case opens the cases."""
    return CASES if cases.CASE in st.query_params else SUMMARY


def _head(run: Run) -> None:
    facts = [
        tried(run),
        run.who,
        f"{count(run.done)} of {count(run.total)} results",
        lasted(run.started_at, run.finished_at),
        money(run.spent or None),
    ]
    with st.container(horizontal=True, vertical_alignment="center"):
        verdict.badge(run)
        if run.schedule:
            st.badge(plain(run.schedule), icon=":material/calendar_clock:", color="gray")
        st.caption(f"{when(run.created_at)} · {plain(' · '.join(fact for fact in facts if fact))}", width="content")
        st.caption(f"`{run.id}`", width="content")


def _actions(run: Run) -> None:
    """Offer what can be done with a run: compare a finished one, stop one that is under way."""
    if run.state == "finished":
        _compare(run)
    if not run.over and session.may("run:write"):
        with st.popover("Cancel", icon=":material/cancel:"):
            st.write("Stop this run? The results that it has are kept; it cannot be taken up again.")
            st.button("Stop the run", type="primary", on_click=_cancel, args=(run.id,))


def _cancel(run: str) -> None:
    try:
        session.api().cancel(run)
        session.note("The run is stopped.")
    except ApiError as error:
        session.note(sentence(error))


def _compare(run: Run) -> None:
    """Offer the suite's other finished runs to be compared with."""
    with st.popover("Compare", icon=":material/compare_arrows:"):
        found = session.api().runs(OTHERS, suite=run.suite, state="finished").items
        others = {one.id: one for one in found if one.id != run.id}
        if not others:
            st.caption("The suite has no other finished run.")
            return
        titles = {key: f"{when(one.created_at)} · {tried(one)} · {one.verdict}" for key, one in others.items()}
        chosen = st.selectbox("Against the run of", list(others), format_func=titles.__getitem__, key=f"against.{run.id}")
        st.button("Compare both", type="primary", on_click=_against, args=(chosen,))


def _against(baseline: str) -> None:
    st.query_params[BASELINE] = baseline


def _progress(name: str) -> None:
    """Show how far a run is; once it is over, the page is drawn anew with what it says."""
    run = session.api().run(name)
    if run.over:
        st.rerun()
    said = "Waits for a worker" if run.state == "queued" else f"{count(run.done)} of {count(run.total)} results"
    spent = f" · {money(run.spent)}" if run.spent else ""
    st.progress(run.done / run.total if run.total else 0.0, text=plain(said + spent))


def _summary(run: Run) -> None:
    if run.summary is None:
        if not run.over:
            st.info(
                "The figures come when the run is finished. Results are under Cases as they come.", icon=":material/schedule:"
            )
        else:
            st.info("The run did not finish, so it has no figures. What it has is under Cases.", icon=":material/inbox:")
        return
    summary = run.summary
    verdict.gates(summary)
    if summary.stopped_early:
        st.info("The run stopped early: what its gate asks was settled before the last case.", icon=":material/flag:")
    if summary.unrunnable:
        st.caption(f"{count(summary.unrunnable)} of {count(summary.results)} results have no verdict; they are left out.")
    _variants(summary)
    if summary.comparisons:
        comparisons(summary.comparisons)
        plots.differences(summary.comparisons, summary.gates)
    _took(summary)
    _spread(run, summary)


def _variants(summary: Summary) -> None:
    st.subheader("Variants", anchor=False)
    rows: list[dict[str, Any]] = []
    for variant in summary.variants:
        figures = {metric: span(variant.metrics[metric].interval) for metric in summary.metrics if metric in variant.metrics}
        rows.append({"variant": variant.name, "model": variant.model, **figures})
    st.dataframe(rows, hide_index=True, width="stretch")
    st.caption("Mean over cases with its interval. What could not be scored is left out and counted, never a zero.")
    if summary.metrics_left_out:
        st.caption(f"{count(summary.metrics_left_out)} more metrics of single cases are left out here.")
    plots.means(summary)


def _took(summary: Summary) -> None:
    """Show what every variant took, as far as is known."""
    st.subheader("What it took", anchor=False)
    rows: list[dict[str, Any]] = []
    for variant in summary.variants:
        took, tokens = variant.latency_ms, variant.tokens
        rows.append(
            {
                "variant": variant.name,
                "results": count(variant.results),
                "errors": count(variant.errors),
                "no verdict": count(variant.unrunnable),
                "time, median": time(took.median) if took else UNKNOWN,
                "time, slowest": time(took.slowest) if took else UNKNOWN,
                "tokens in": count(tokens.input) if tokens else UNKNOWN,
                "tokens out": count(tokens.output) if tokens else UNKNOWN,
                "cost": UNKNOWN if variant.cost is None else money(variant.cost),
            }
        )
    st.dataframe(rows, hide_index=True, width="stretch")


def comparisons(found: list[Comparison]) -> None:
    """Show paired differences as a table."""
    st.subheader("Differences", anchor=False)
    tested = any(one.p_value is not None for one in found)
    adjusted = any(one.adjusted is not None for one in found)
    st.dataframe(
        [
            {
                "comparison": f"{one.candidate} − {one.baseline}",
                "metric": one.metric,
                "difference": span(one.interval, signed=True),
                **({"p": chance(one.p_value)} if tested else {}),
                **({"p, adjusted": chance(one.adjusted)} if adjusted else {}),
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


def _spread(run: Run, summary: Summary) -> None:
    """Show how one metric's values lie, by variant and by cluster."""
    st.subheader("Scores", anchor=False)
    metric = st.selectbox("Metric", summary.metrics, key=f"spread.{run.id}", persist_state="page", width=260)
    if metric is None:
        return
    found = _distribution(run.id, metric)
    names = [variant.name for variant in summary.variants]
    plots.spread(found, names)
    if found.means:
        plots.clusters(found, names)


def _distribution(run: str, metric: str) -> Distribution:
    """A finished run's values do not change, so what was asked last is kept."""
    kept = st.session_state.get("run.distribution")
    if kept is None or kept[0] != (run, metric):
        kept = ((run, metric), session.api().distribution(run, metric))
        st.session_state["run.distribution"] = kept
    found: Distribution = kept[1]
    return found


_under_way = st.fragment(guarded(_progress), run_every=LIVE)
