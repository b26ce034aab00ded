"""Two runs beside each other: the differences with their intervals, which cases got better or worse, and one case's answers."""

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
"""The most cases of one kind that are listed."""
REPEAT_LIMIT = 10
"""The most repeats of a case that are shown."""
BETTER, WORSE = "Better", "Worse"


def show(run: str, baseline: str) -> None:
    """Show a run against a baseline, both by their ids."""
    api = session.api()
    ours, theirs = api.run(run), api.run(baseline)
    title, back = st.columns([5, 1], vertical_alignment="bottom")
    title.title(f"{escape_markdown(ours.suite)}: two runs", anchor=False)
    back.button("The run alone", icon=":material/arrow_back:", on_click=_show_run_alone, width="stretch")
    _show_sides(ours, theirs)
    if run == baseline:
        st.info("A run does not differ from itself. Choose another one.", icon=":material/info:")
        return
    found = _load_comparison(run, baseline)
    if not found.same_dataset:
        st.warning(
            f"The runs have different versions of their cases; the {found.cases} cases that both have are compared.",
            icon=":material/warning:",
        )
    show_comparisons(found.comparisons)
    with st.expander("As a plot", expanded=case_list.CASE not in st.query_params, icon=":material/monitoring:"):
        plots.plot_differences(found.comparisons)
    _show_changed_cases(run, baseline, found)


def _show_run_alone() -> None:
    for name in (BASELINE, case_list.CASE):
        st.query_params.pop(name, None)


def _swap(run: str, baseline: str) -> None:
    st.query_params["run"], st.query_params[BASELINE] = baseline, run


def _show_sides(ours: Run, theirs: Run) -> None:
    with st.container(border=True):
        for word, run in (("This run", ours), ("Baseline", theirs)):
            with st.container(horizontal=True, vertical_alignment="center"):
                st.markdown(f"**{word}**", width=90)
                badges.show_run_badge(run)
                st.caption(
                    f"{format_time(run.created_at)} · {escape_markdown(describe_run(run))} · {escape_markdown(run.who)}",
                    width="content",
                )
    with st.container(horizontal=True):
        turn = (ours.id, theirs.id)
        st.button("Turn round", icon=":material/swap_vert:", on_click=_swap, args=turn, type="tertiary")
        st.button("All runs", icon=":material/list:", on_click=leave_run, type="tertiary")


def _load_comparison(run: str, baseline: str) -> RunComparison:
    """Finished runs do not change, and comparing them is work: what was asked last is kept."""
    kept = st.session_state.get("comparison.kept")
    if kept is None or kept[0] != (run, baseline):
        with st.spinner("Comparing, case by case"):
            kept = ((run, baseline), session.api().compare(run, baseline))
        st.session_state["comparison.kept"] = kept
    found: RunComparison = kept[1]
    return found


def _show_changed_cases(run: str, baseline: str, found: RunComparison) -> None:
    st.subheader("Cases", anchor=False)
    titles = {_comparison_title(one, found.comparisons): one for one in found.comparisons}
    changing = next((title for title, one in titles.items() if one.worse or one.better), None)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.selectbox(
            "By the metric",
            list(titles),
            index=list(titles).index(changing) if changing else 0,
            key=f"comparison.metric.{run}.{baseline}",
            persist_state="page",
            width=360,
        )
    if chosen is None:
        st.caption("The runs have no metric in common.")
        return
    one = titles[chosen]
    for column, word, names in zip(st.columns(2), (WORSE, BETTER), (one.worse, one.better), strict=True):
        with column:
            number = one.losses if word == WORSE else one.gains
            _show_case_names(word, number, names, f"comparison.{word}.{run}.{baseline}.{one.metric}.{one.candidate}")
    st.caption("Choose a case to see both answers below.")
    _case_results(run, baseline, one)


def _comparison_title(one: Comparison, every: Sequence[Comparison]) -> str:
    several = len({(other.candidate, other.baseline) for other in every}) > 1
    return f"{one.metric}: {one.candidate} − {one.baseline}" if several else one.metric


def _show_case_names(word: str, number: int, names: Sequence[str], key: str) -> None:
    colour, icon = ("red", ":material/trending_down:") if word == WORSE else ("green", ":material/trending_up:")
    st.markdown(f":{colour}[{icon}] **{word}: {format_count(number)}**")
    if not names:
        st.caption("no case")
        return
    shown = names[:CASE_LIMIT]
    st.dataframe(
        [{"case": name} for name in shown],
        hide_index=True,
        width="stretch",
        height=220 if len(shown) > 5 else "content",
        on_select=partial(_open_chosen_case, key, shown),
        selection_mode=["single-row", "single-cell"],
        key=key,
    )
    if number > len(shown):
        st.caption(f"The first {format_count(len(shown))} are listed.")


def _open_chosen_case(key: str, names: Sequence[str]) -> None:
    selection = st.session_state[key].selection
    places = [*selection.rows, *(row for row, _ in selection.cells)]
    if places and places[-1] < len(names):
        st.query_params[case_list.CASE] = names[places[-1]]


def _show_both_results(run: str, baseline: str, one: Comparison) -> None:
    """Show what both runs gave on the case that the address names, word by word."""
    case = st.query_params.get(case_list.CASE)
    if case is None:
        return
    st.divider()
    api = session.api()
    sides = ((run, one.candidate), (baseline, one.baseline.removesuffix(f" of {baseline}")))
    ours, theirs = (api.results(side, REPEAT_LIMIT, None, {"case": case, "variant": variant}) for side, variant in sides)
    if not ours.items or not theirs.items:
        st.info("One of the runs has no result of the case that the address names.", icon=":material/search_off:")
        return
    st.subheader(escape_markdown(case), anchor=False)
    case_results.show_input(ours.items[0])
    before = {result.repeat: result for result in theirs.items}
    for result in ours.items:
        if result.repeat in before:
            _show_pair(before[result.repeat], result)
    if ours.next_cursor is not None:
        st.caption(f"The first {REPEAT_LIMIT} repeats are shown.")


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
