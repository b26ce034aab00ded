"""A comparison of two runs: the differences with their intervals, the cases that changed, and one case's results."""

from collections.abc import Sequence
from functools import partial

import streamlit as st

from promptuary_ui import session
from promptuary_ui.components import badges, case_list, case_results, plots, text_comparison
from promptuary_ui.components.error_display import display_errors
from promptuary_ui.components.number_format import format_count
from promptuary_ui.components.text import escape_markdown, format_time
from promptuary_ui.page.run import BASELINE, describe_run, leave_run, show_comparisons
from promptuary_ui.wire.runs import Comparison, Result, Run, RunComparison

CASE_LIMIT = 500
"""The largest number of better or worse cases that are listed."""
REPEAT_LIMIT = 10
"""The largest number of repeats of a case that are shown."""
BETTER, WORSE = "Better", "Worse"


def show(run: str, baseline: str) -> None:
    """Show a run against a baseline, both by their ids."""
    api = session.api()
    candidate_run, baseline_run = api.run(run), api.run(baseline)
    title, back = st.columns([5, 1], vertical_alignment="bottom")
    title.title(f"{escape_markdown(candidate_run.suite)}: two runs", anchor=False)
    back.button("This run only", icon=":material/arrow_back:", on_click=_show_run_alone, width="stretch")
    _show_sides(candidate_run, baseline_run)
    if run == baseline:
        st.info("A run does not differ from itself. Choose another baseline.", icon=":material/info:")
        return
    comparison = _load_comparison(run, baseline)
    _show_pairing(comparison)
    show_comparisons(comparison.comparisons)
    with st.expander("As a plot", expanded=case_list.CASE not in st.query_params, icon=":material/monitoring:"):
        plots.plot_differences(comparison.comparisons)
    _show_changed_cases(run, baseline, comparison)


_REASONS = {
    "other_variables": "other variables under the same id",
    "other_expectation": "another expected output or other checks",
    "fewer_copies": "the same content less often",
    "absent": "no such case",
    "no_result": "no result",
}


def _show_pairing(comparison: RunComparison) -> None:
    """Show how many cases are paired, and why others are not; nothing where both runs have the same cases."""
    if comparison.changed_metrics:
        metrics = escape_markdown(", ".join(comparison.changed_metrics))
        st.warning(f"The suites score these metrics in different ways: {metrics}.", icon=":material/rule:")
    if comparison.same_dataset and not comparison.unpaired:
        return
    st.warning(
        f"The runs have different versions of their cases; the {format_count(comparison.cases)} cases that both have are "
        "compared: those with the same variables, expected output and checks.",
        icon=":material/warning:",
    )
    if comparison.unpaired:
        rows = [
            {
                "cases of": "This run" if unpaired.run == comparison.run else "Baseline",
                "in the other run": _REASONS.get(unpaired.reason, unpaired.reason),
                "cases": unpaired.cases,
                "first cases": ", ".join(unpaired.examples),
            }
            for unpaired in comparison.unpaired
        ]
        with st.expander("Cases that are not compared", icon=":material/link_off:"):
            st.dataframe(rows, hide_index=True, width="stretch", key=f"unpaired.{comparison.run}.{comparison.baseline}")


def _show_run_alone() -> None:
    for name in (BASELINE, case_list.CASE):
        st.query_params.pop(name, None)


def _swap(run: str, baseline: str) -> None:
    st.query_params["run"], st.query_params[BASELINE] = baseline, run


def _show_sides(candidate_run: Run, baseline_run: Run) -> None:
    with st.container(border=True):
        for title, run in (("This run", candidate_run), ("Baseline", baseline_run)):
            with st.container(horizontal=True, vertical_alignment="center"):
                st.markdown(f"**{title}**", width=90)
                badges.show_run_badge(run)
                st.caption(
                    f"{format_time(run.created_at)} · {escape_markdown(describe_run(run))} · {escape_markdown(run.who)}",
                    width="content",
                )
    with st.container(horizontal=True):
        ids = (candidate_run.id, baseline_run.id)
        st.button("Swap", icon=":material/swap_vert:", on_click=_swap, args=ids, type="tertiary")
        st.button("All runs", icon=":material/list:", on_click=leave_run, type="tertiary")


def _load_comparison(run: str, baseline: str) -> RunComparison:
    """Return a comparison; the last one is cached, since finished runs do not change and comparing them is expensive."""
    cached = st.session_state.get("comparison.cached")
    if cached is None or cached[0] != (run, baseline):
        with st.spinner("Comparing the runs case by case"):
            cached = ((run, baseline), session.api().compare(run, baseline))
        st.session_state["comparison.cached"] = cached
    comparison: RunComparison = cached[1]
    return comparison


def _show_changed_cases(run: str, baseline: str, run_comparison: RunComparison) -> None:
    st.subheader("Cases", anchor=False)
    comparisons = run_comparison.comparisons
    titles = {_comparison_title(comparison, comparisons): comparison for comparison in comparisons}
    changing = next((title for title, comparison in titles.items() if comparison.worse or comparison.better), None)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.selectbox(
            "Metric",
            list(titles),
            index=list(titles).index(changing) if changing else 0,
            key=f"comparison.metric.{run}.{baseline}",
            persist_state="page",
            width=360,
        )
    if chosen is None:
        st.caption("The runs have no metric in common.")
        return
    comparison = titles[chosen]
    for column, title, names in zip(st.columns(2), (WORSE, BETTER), (comparison.worse, comparison.better), strict=True):
        with column:
            number = comparison.losses if title == WORSE else comparison.gains
            key = f"comparison.{title}.{run}.{baseline}.{comparison.metric}.{comparison.candidate}"
            _show_case_names(title, number, names, key)
    st.caption("Choose a case to see both outputs below.")
    _case_results(run_comparison, comparison)


def _comparison_title(comparison: Comparison, comparisons: Sequence[Comparison]) -> str:
    several = len({(other.candidate, other.baseline) for other in comparisons}) > 1
    return f"{comparison.metric}: {comparison.candidate} − {comparison.baseline}" if several else comparison.metric


def _show_case_names(title: str, number: int, names: Sequence[str], key: str) -> None:
    colour, icon = ("red", ":material/trending_down:") if title == WORSE else ("green", ":material/trending_up:")
    st.markdown(f":{colour}[{icon}] **{title}: {format_count(number)}**")
    if not names:
        st.caption("no case")
        return
    listed = names[:CASE_LIMIT]
    st.dataframe(
        [{"case": name} for name in listed],
        hide_index=True,
        width="stretch",
        height=220 if len(listed) > 5 else "content",
        on_select=partial(_open_chosen_case, key, listed),
        selection_mode=["single-row", "single-cell"],
        key=key,
    )
    if number > len(listed):
        st.caption(f"The first {format_count(len(listed))} are listed.")


def _open_chosen_case(key: str, names: Sequence[str]) -> None:
    selection = st.session_state[key].selection
    places = [*selection.rows, *(row for row, _ in selection.cells)]
    if places and places[-1] < len(names):
        st.query_params[case_list.CASE] = names[places[-1]]


def _show_both_results(run_comparison: RunComparison, comparison: Comparison) -> None:
    """Show both runs' outputs of the case that the address names, compared word by word."""
    case = st.query_params.get(case_list.CASE)
    if case is None:
        return
    st.divider()
    api = session.api()
    run, baseline = run_comparison.run, run_comparison.baseline
    sides = (
        (run, case, comparison.candidate),
        (baseline, run_comparison.renamed.get(case, case), comparison.baseline.removesuffix(f" of {baseline}")),
    )
    candidate_page, baseline_page = (
        api.results(side, REPEAT_LIMIT, None, {"case": name, "variant": variant}) for side, name, variant in sides
    )
    if candidate_page.items and baseline_page.items and not _is_same_case(candidate_page.items[0], baseline_page.items[0]):
        st.info(
            "The baseline has another case under this id: the two outputs answer different inputs.", icon=":material/link_off:"
        )
        return
    if not candidate_page.items or not baseline_page.items:
        st.info("One of the runs has no result of the case that the address names.", icon=":material/search_off:")
        return
    st.subheader(escape_markdown(case), anchor=False)
    case_results.show_input(candidate_page.items[0])
    before = {result.repeat: result for result in baseline_page.items}
    for result in candidate_page.items:
        if result.repeat in before:
            _show_pair(before[result.repeat], result)
    if candidate_page.next_cursor is not None:
        st.caption(f"The first {REPEAT_LIMIT} repeats are shown.")


def _is_same_case(candidate: Result, baseline: Result) -> bool:
    return (candidate.vars, candidate.expected) == (baseline.vars, baseline.expected)


def _show_pair(before: Result, after: Result) -> None:
    titles = (f"baseline: {before.title}", f"this run: {after.title}")
    text_comparison.show_side_by_side(before.output or before.error or "", after.output or after.error or "", titles)
    for column, result in zip(st.columns(2), (before, after), strict=True):
        with column:
            with st.container(horizontal=True, vertical_alignment="center"):
                badges.show_result_badge(result)
                case_results.show_usage(result)
            case_results.show_scorers(result)


_case_results = st.fragment(display_errors(_show_both_results))
