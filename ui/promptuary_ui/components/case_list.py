"""The cases of a run, looked for by the API a page at a time, for a run may have very many; a click shows one whole."""

from collections.abc import Sequence
from functools import partial

import streamlit as st

from promptuary_ui import session
from promptuary_ui.components import case_results, pager
from promptuary_ui.components.error_display import display_errors
from promptuary_ui.components.number_format import format_usd
from promptuary_ui.wire.runs import Result, Run

CASE = "case"
ROWS = 50
RESULTS_OF_A_CASE = 24
"""How many answers of one case are on a page; a case may have very many repeats."""
SHORT_TEXT = 300
ALL_VARIANTS = "All variants"
VERDICT_FILTERS = ("All", "Failed", "Passed", "Errors")
ORDERS = {
    "file": "As in the file",
    "score": "Lowest score first",
    "latency": "Slowest first",
    "cost": "Dearest first",
    "tokens": "Longest answer first",
}
_Filters = tuple[tuple[str, str], ...]


def show(run: Run) -> None:
    """Show the filters, the page of results that they leave, and the case that the address names."""
    wanted = _choose_filters(run)
    _result_list(run, wanted)


def _choose_filters(run: Run) -> _Filters:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        search = st.text_input(
            "Search",
            key="cases.search",
            placeholder="Part of an input, an answer, an error or a case's name",
            icon=":material/search:",
            max_chars=400,
            persist_state="page",
        )
        kind = st.segmented_control(
            "Verdict", VERDICT_FILTERS, default="All", required=True, key="cases.kind", persist_state="page"
        )
        names = [variant.name for variant in run.variants]
        variant = st.selectbox(
            "Variant", [ALL_VARIANTS, *names], key=f"cases.variant.{run.id}", persist_state="page", width=200
        )
    with st.expander("More filters, and the order", icon=":material/tune:", key="cases.more", on_change="rerun"):
        more = _choose_more_filters(run)
    wanted: dict[str, str | None] = {
        "search": (search or "").strip() or None,
        "passed": {"Failed": "false", "Passed": "true"}.get(kind or ""),
        "errors": "true" if kind == "Errors" else None,
        "variant": None if variant in (None, ALL_VARIANTS) else variant,
        **more,
    }
    return tuple((name, value) for name, value in wanted.items() if value is not None)


def _choose_more_filters(run: Run) -> dict[str, str | None]:
    metrics = filter_metrics(run)
    one, two, three, four = st.columns(4, vertical_alignment="bottom")
    order = one.selectbox("Order", list(ORDERS), format_func=ORDERS.__getitem__, key="cases.order", persist_state="page")
    metric = two.selectbox("Metric", metrics, key=f"cases.metric.{run.id}", persist_state="page")
    low, high = three.slider("Its value", 0.0, 1.0, (0.0, 1.0), 0.05, key="cases.range", persist_state="page")
    tag = four.text_input("Tag", key="cases.tag", placeholder="A case's tag, whole", max_chars=200, persist_state="page")
    differing = st.toggle(
        "Only cases whose verdict is not the same under every variant",
        key="cases.differing",
        disabled=len(run.variants) < 2,
        persist_state="page",
    )
    return {
        "order": order if order != "file" else None,
        "metric": metric if order == "score" or (low, high) != (0.0, 1.0) else None,
        "at_least": f"{low:g}" if low > 0 else None,
        "at_most": f"{high:g}" if high < 1 else None,
        "tag": (tag or "").strip() or None,
        "differing": "true" if differing else None,
    }


def filter_metrics(run: Run) -> list[str]:
    """Give the metrics that results can be looked for by; before the summary, those that every run has."""
    return run.summary.metrics if run.summary is not None else ["score", "pass"]


def _show_results(run: Run, wanted: _Filters) -> None:
    key, asked = "cases.page", (run.id, wanted)
    cursor = pager.current_cursor(key, asked)
    found = session.api().results(run.id, ROWS, cursor, dict(wanted))
    if not found.items:
        st.info(_empty_text(run, wanted), icon=":material/search_off:")
    else:
        first = (pager.page_number(key, asked) - 1) * ROWS
        _show_rows(found.items, f"cases.table.{abs(hash((asked, cursor)))}")
        more = "" if found.next_cursor is None else ", and there are more"
        pager.show_page_buttons(key, asked, f"Results {first + 1} to {first + len(found.items)}{more}", found.next_cursor)
    _show_case(run)


def _empty_text(run: Run, wanted: _Filters) -> str:
    if wanted:
        return "No result is like that. Take a filter away to see more."
    return "This run has no result." if run.over else "There is no result yet."


def _show_rows(results: Sequence[Result], key: str) -> None:
    metrics = list(dict.fromkeys(metric for result in results for metric in result.metrics))
    priced = any(result.cost is not None for result in results)
    tagged = any(result.tags for result in results)
    repeated = any(result.repeat for result in results)
    names = [result.case for result in results]
    st.dataframe(
        [
            {
                "case": result.case,
                "variant": result.variant,
                **({"repeat": result.repeat + 1} if repeated else {}),
                "verdict": result.verdict,
                "answer": _shorten(result.output if result.error is None else result.error),
                **{f"{metric} ": result.metrics.get(metric) for metric in metrics},  # a metric may be called as a column
                "score": result.score,
                "time, ms": result.latency_ms,
                **({"cost": format_usd(result.cost)} if priced else {}),
                **({"tags": ", ".join(result.tags)} if tagged else {}),
            }
            for result in results
        ],
        column_config={
            **{f"{metric} ": st.column_config.NumberColumn(metric, format="%.3f") for metric in metrics},
            "score": st.column_config.NumberColumn(format="%.3f"),
            "time, ms": st.column_config.NumberColumn(format="%.0f"),
            "answer": st.column_config.TextColumn(width="medium"),
        },
        hide_index=True,
        width="stretch",
        height=420 if len(results) > 10 else "content",
        on_select=partial(_open_chosen_case, key, names),
        selection_mode=["single-row", "single-cell"],
        key=key,
    )
    st.caption("Choose a row to see its case below: the input, and every answer with its reasons.")


def _shorten(text: str | None) -> str:
    text = " ".join((text or "").split())
    return text if len(text) <= SHORT_TEXT else text[:SHORT_TEXT] + "…"


def _open_chosen_case(key: str, names: Sequence[str]) -> None:
    """Put the case of the row or the cell that was chosen into the address."""
    selection = st.session_state[key].selection
    places = [*selection.rows, *(row for row, _ in selection.cells)]
    if places and places[-1] < len(names):
        st.query_params[CASE] = names[places[-1]]
    else:
        st.query_params.pop(CASE, None)


def _show_case(run: Run) -> None:
    case = st.query_params.get(CASE)
    if case is None:
        return
    st.divider()
    key, asked = "cases.case", (run.id, case)
    found = session.api().results(run.id, RESULTS_OF_A_CASE, pager.current_cursor(key, asked), {"case": case})
    if not found.items:
        st.info("This run has no result of the case that the address names.", icon=":material/search_off:")
        return
    case_results.show_case(found.items, "cases.sides")
    first = (pager.page_number(key, asked) - 1) * RESULTS_OF_A_CASE
    pager.show_page_buttons(key, asked, f"Answers {first + 1} to {first + len(found.items)} of this case", found.next_cursor)


_result_list = st.fragment(display_errors(_show_results))
