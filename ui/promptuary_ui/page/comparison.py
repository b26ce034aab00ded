"""Two runs beside each other: the differences with their intervals, which cases got better or worse, and one case's answers."""

from collections.abc import Sequence
from functools import partial

import streamlit as st

from promptuary_ui import session
from promptuary_ui.evaluations import Compared, Comparison, Result, Run
from promptuary_ui.page.run import BASELINE, comparisons, leave, tried
from promptuary_ui.parts import cases, plots, sidebyside, verdict, words
from promptuary_ui.parts.figures import count
from promptuary_ui.parts.guard import guarded
from promptuary_ui.parts.text import plain, when

MOST = 500
"""The most cases of one kind that are listed."""
BETTER, WORSE = "Better", "Worse"


def show(run: str, baseline: str) -> None:
    """Show a run against a baseline, both by their ids."""
    api = session.api()
    ours, theirs = api.run(run), api.run(baseline)
    title, back = st.columns([5, 1], vertical_alignment="bottom")
    title.title(f"{plain(ours.suite)}: two runs", anchor=False)
    back.button("The run alone", icon=":material/arrow_back:", on_click=_alone, width="stretch")
    _sides(ours, theirs)
    if run == baseline:
        st.info("A run does not differ from itself. Choose another one.", icon=":material/info:")
        return
    found = _compared(run, baseline)
    if not found.same_dataset:
        st.warning(
            f"The runs have different versions of their cases; the {found.cases} cases that both have are compared.",
            icon=":material/warning:",
        )
    comparisons(found.comparisons)
    plots.differences(found.comparisons)
    _changed(run, baseline, found)


def _alone() -> None:
    for name in (BASELINE, cases.CASE):
        st.query_params.pop(name, None)


def _turn(run: str, baseline: str) -> None:
    st.query_params["run"], st.query_params[BASELINE] = baseline, run


def _sides(ours: Run, theirs: Run) -> None:
    with st.container(border=True):
        for word, run in (("This run", ours), ("Baseline", theirs)):
            with st.container(horizontal=True, vertical_alignment="center"):
                st.markdown(f"**{word}**", width=90)
                verdict.badge(run)
                st.caption(f"{when(run.created_at)} · {plain(tried(run))} · {plain(run.who)}", width="content")
    with st.container(horizontal=True):
        turn = (ours.id, theirs.id)
        st.button("Turn round", icon=":material/swap_vert:", on_click=_turn, args=turn, type="tertiary")
        st.button("All runs", icon=":material/list:", on_click=leave, type="tertiary")


def _compared(run: str, baseline: str) -> Compared:
    """Finished runs do not change, and comparing them is work: what was asked last is kept."""
    kept = st.session_state.get("comparison.kept")
    if kept is None or kept[0] != (run, baseline):
        with st.spinner("Comparing, case by case"):
            kept = ((run, baseline), session.api().compare(run, baseline))
        st.session_state["comparison.kept"] = kept
    found: Compared = kept[1]
    return found


def _changed(run: str, baseline: str, found: Compared) -> None:
    st.subheader("Cases", anchor=False)
    titles = {_title(one, found.comparisons): one for one in found.comparisons}
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
            _names(word, number, names, f"comparison.{word}.{run}.{baseline}.{one.metric}.{one.candidate}")
    st.caption("Choose a case to see both answers below.")
    _case(run, baseline, one)


def _title(one: Comparison, every: Sequence[Comparison]) -> str:
    several = len({(other.candidate, other.baseline) for other in every}) > 1
    return f"{one.metric}: {one.candidate} − {one.baseline}" if several else one.metric


def _names(word: str, number: int, names: Sequence[str], key: str) -> None:
    colour, icon = ("red", ":material/trending_down:") if word == WORSE else ("green", ":material/trending_up:")
    st.markdown(f":{colour}[{icon}] **{word}: {count(number)}**")
    if not names:
        st.caption("no case")
        return
    shown = names[:MOST]
    st.dataframe(
        [{"case": name} for name in shown],
        hide_index=True,
        width="stretch",
        height=220 if len(shown) > 5 else "content",
        on_select=partial(_chosen, key, shown),
        selection_mode=["single-row", "single-cell"],
        key=key,
    )
    if number > len(shown):
        st.caption(f"The first {count(len(shown))} are listed.")


def _chosen(key: str, names: Sequence[str]) -> None:
    selection = st.session_state[key].selection
    places = [*selection.rows, *(row for row, _ in selection.cells)]
    if places and places[-1] < len(names):
        st.query_params[cases.CASE] = names[places[-1]]


def _both(run: str, baseline: str, one: Comparison) -> None:
    """Show what both runs gave on the case that the address names, word by word."""
    case = st.query_params.get(cases.CASE)
    if case is None:
        return
    st.divider()
    api = session.api()
    ours, theirs = (api.results(side, cases.MOST, None, {"case": case}).items for side in (run, baseline))
    if not ours or not theirs:
        st.info("One of the runs has no result of the case that the address names.", icon=":material/search_off:")
        return
    st.subheader(plain(case), anchor=False)
    sidebyside.given(ours[0])
    theirs_of = {(_bare(result.variant, one.baseline), result.repeat): result for result in theirs}
    for result in ours:
        if result.variant != one.candidate:
            continue
        before = theirs_of.get((True, result.repeat))
        if before is not None:
            _pair(before, result)


def _bare(variant: str, baseline: str) -> bool:
    """Tell whether a variant of the baseline run is the one that is compared; its name may carry the run's behind it."""
    return baseline == variant or baseline.startswith(f"{variant} of ")


def _pair(before: Result, after: Result) -> None:
    titles = (f"baseline: {before.title}", f"this run: {after.title}")
    words.beside(before.output or before.error or "", after.output or after.error or "", titles)
    for column, result in zip(st.columns(2), (before, after), strict=True):
        with column:
            with st.container(horizontal=True, vertical_alignment="center"):
                verdict.of_result(result)
                sidebyside.figures(result)
            sidebyside.scorers(result)


_case = st.fragment(guarded(_both))
