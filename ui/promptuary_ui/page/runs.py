"""Runs: what an evaluation showed, with the interval of every figure, and the cases behind it."""

import streamlit as st

from promptuary_ui import session
from promptuary_ui.answers import Interval, Result, Run, Summary
from promptuary_ui.parts import item
from promptuary_ui.parts.text import plain, when

RUN = "run"
VERDICTS = {
    "pass": ("green", ":material/check_circle:"),
    "regression": ("red", ":material/trending_down:"),
    "inconclusive": ("orange", ":material/help:"),
    "infrastructure": ("gray", ":material/build:"),
}
FILTERS = ("All", "Failed", "Passed", "Errors")


def show() -> None:
    """Show the run that the address names, or the list of runs."""
    chosen = st.query_params.get(RUN)
    if chosen is None:
        _list()
    else:
        _run(chosen)


def _list() -> None:
    st.title("Runs", anchor=False)
    runs = session.api().runs()
    if not runs:
        st.info("There is no run yet. `promptuary eval run SUITE` makes one.", icon=":material/inbox:")
        return
    for run in runs:
        with st.container(border=True, horizontal=True, vertical_alignment="center"):
            with st.container(width="stretch", gap="xsmall"):
                st.markdown(f"**{plain(run.suite)}**")
                st.caption(f"{when(run.created_at)} · {plain(run.actor)} · {run.done} of {run.total} results")
            _badge(run)
            st.button("Open", key=f"open-{run.id}", on_click=_open, args=(run.id,))


def _open(run: str) -> None:
    st.query_params[RUN] = run


def _badge(run: Run) -> None:
    colour, icon = VERDICTS.get(run.verdict or "", ("gray", ":material/schedule:"))
    st.badge(plain(run.verdict or run.state), color=colour, icon=icon)


def _run(id: str) -> None:  # noqa: A002 - the word of the API
    run = session.api().run(id)
    title, back = st.columns([5, 1], vertical_alignment="bottom")
    title.title(plain(run.suite), anchor=False)
    back.button("All runs", icon=":material/arrow_back:", on_click=st.query_params.clear, width="stretch")
    with st.container(horizontal=True, vertical_alignment="center"):
        _badge(run)
        st.caption(f"{when(run.created_at)} · {plain(run.actor)} · {run.done} of {run.total} results · {plain(run.id)}")
    if run.error:
        st.error(plain(run.error), icon=":material/error:")
    if run.summary is None:
        st.progress(run.done / run.total if run.total else 0.0, text=plain(run.state))
        st.button("Look again", icon=":material/refresh:")
    else:
        _summary(run.summary)
    _cases(session.api().results(id))


def _summary(summary: Summary) -> None:
    for gate in summary.gates:
        colour, icon = VERDICTS.get(gate.verdict, ("gray", ":material/help:"))
        st.markdown(f":{colour}[{icon}] **{plain(gate.verdict)}**: {plain(gate.sentence)}")
    if not summary.gates:
        st.caption("The suite has no gate, so the run shows figures and holds nothing back.")
    st.subheader("Variants", anchor=False)
    rows = []
    for variant in summary.variants:
        figures = {metric: _range(variant.metrics[metric].interval) for metric in summary.metrics if metric in variant.metrics}
        rows.append({"variant": variant.name, "model": variant.model, **figures, "errors": variant.errors})
    st.dataframe(rows, hide_index=True, width="stretch")
    st.caption("Mean over cases with its 95 % interval. What could not be scored is left out and counted, never a zero.")
    if summary.comparisons:
        st.subheader("Differences", anchor=False)
        st.dataframe(
            [
                {
                    "comparison": f"{found.candidate} − {found.baseline}",
                    "metric": found.metric,
                    "difference": _range(found.interval, signed=True),
                    "cases": found.cases,
                    "better": len(found.better),
                    "worse": len(found.worse),
                }
                for found in summary.comparisons
            ],
            hide_index=True,
            width="stretch",
        )
        st.caption("Paired: the same cases under both, the candidate minus the baseline.")


def _range(interval: Interval | None, *, signed: bool = False) -> str:
    if interval is None:
        return "not known"
    sign = "+" if signed else ""
    estimate, low, high = (
        format(value, f"{sign}.3f").replace("-", "−") for value in (interval.estimate, interval.low, interval.high)
    )
    return f"{estimate}  [{low}, {high}]"


def _cases(results: list[Result]) -> None:
    st.subheader("Cases", anchor=False)
    variants = sorted({result.variant for result in results})
    with st.container(horizontal=True, vertical_alignment="bottom"):
        kind = st.segmented_control(
            "Show", FILTERS, default="All", required=True, key="runs.filter", label_visibility="collapsed"
        )
        variant = st.selectbox(
            "Variant", ["All variants", *variants], key="runs.variant", label_visibility="collapsed", width=260
        )
    shown = [result for result in results if _fits(result, kind or "All") and variant in ("All variants", result.variant)]
    if not shown:
        st.caption("No result is of this kind.")
        return
    metrics = sorted({metric for result in shown for metric in result.metrics})
    event = st.dataframe(
        [
            {
                "case": result.case,
                "variant": result.variant,
                "passed": "error" if result.error or result.passed is None else ("yes" if result.passed else "no"),
                "output": result.output or result.error or "",
                **{metric: _rounded(result.metrics.get(metric)) for metric in metrics},
            }
            for result in shown
        ],
        hide_index=True,
        width="stretch",
        height=360,
        on_select="rerun",
        selection_mode="single-row",
        key="runs.cases",
    )
    for row in event.selection.rows:
        if row < len(shown):
            _result(shown[row])


def _rounded(score: float | None) -> float | None:
    return None if score is None else round(score, 3)


def _fits(result: Result, kind: str) -> bool:
    broken = bool(result.error) or result.passed is None
    return {"All": True, "Failed": not broken and not result.passed, "Passed": not broken and bool(result.passed)}.get(
        kind, broken
    )


def _result(result: Result) -> None:
    st.markdown(f"**{plain(result.case)}** under {plain(result.variant)}")
    item.sides({"input": result.vars, "output": result.output, "expected": result.expected, "error": result.error})
