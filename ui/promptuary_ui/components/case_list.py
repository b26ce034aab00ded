"""The results of a run with filters, one page at a time; a click on a row shows all results of its case."""

from collections.abc import Sequence
from functools import partial

import streamlit as st

from promptuary_ui import session
from promptuary_ui.components import case_results, pager, queue_form
from promptuary_ui.components.error_display import display_errors
from promptuary_ui.components.number_format import format_usd
from promptuary_ui.components.text import escape_markdown
from promptuary_ui.wire.runs import Result, Run

CASE = "case"
ROWS = 50
RESULTS_OF_A_CASE = 24
"""The number of results of one case on a page; a case may have very many repeats."""
SHORT_TEXT = 300
ALL_VARIANTS = "All variants"
VERDICT_FILTERS = ("All", "Failed", "Passed", "Errors")
ORDERS = {
    "file": "As in the file",
    "score": "Lowest score first",
    "latency": "Slowest first",
    "cost": "Most expensive first",
    "tokens": "Longest output first",
}
_Filters = tuple[tuple[str, str], ...]


def show(run: Run) -> None:
    """Show the filters, the page of results that match them, and the case that the address names."""
    filters = _choose_filters(run)
    _result_list(run, filters)


def _choose_filters(run: Run) -> _Filters:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        search = st.text_input(
            "Search",
            key="cases.search",
            placeholder="Part of an input, an output, an error or a case's name",
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
    filters: dict[str, str | None] = {
        "search": (search or "").strip() or None,
        "passed": {"Failed": "false", "Passed": "true"}.get(kind or ""),
        "errors": "true" if kind == "Errors" else None,
        "variant": None if variant in (None, ALL_VARIANTS) else variant,
        **more,
    }
    return tuple((name, value) for name, value in filters.items() if value is not None)


def _choose_more_filters(run: Run) -> dict[str, str | None]:
    metrics = filter_metrics(run)
    order_column, metric_column, range_column, tag_column = st.columns(4, vertical_alignment="bottom")
    order = order_column.selectbox(
        "Order", list(ORDERS), format_func=ORDERS.__getitem__, key="cases.order", persist_state="page"
    )
    metric = metric_column.selectbox("Metric", metrics, key=f"cases.metric.{run.id}", persist_state="page")
    low, high = range_column.slider("Range of values", 0.0, 1.0, (0.0, 1.0), 0.05, key="cases.range", persist_state="page")
    tag = tag_column.text_input("Tag", key="cases.tag", placeholder="A case's whole tag", max_chars=200, persist_state="page")
    differing = st.toggle(
        "Only cases whose verdict differs between variants",
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
    """Return the metrics that results can be filtered by; before the summary exists, those that every run has."""
    return run.summary.metrics if run.summary is not None else ["score", "pass"]


def _show_results(run: Run, filters: _Filters) -> None:
    key, query = "cases.page", (run.id, filters)
    cursor = pager.current_cursor(key, query)
    page = session.api().results(run.id, ROWS, cursor, dict(filters))
    if not page.items:
        st.info(_empty_text(run, filters), icon=":material/search_off:")
    else:
        first = (pager.page_number(key, query) - 1) * ROWS
        _show_rows(page.items, f"cases.table.{abs(hash((query, cursor)))}")
        more = "" if page.next_cursor is None else ", and there are more"
        pager.show_page_buttons(key, query, f"Results {first + 1} to {first + len(page.items)}{more}", page.next_cursor)
    _show_case(run)


def _empty_text(run: Run, filters: _Filters) -> str:
    if filters:
        return "No result matches the filters. Remove a filter to see more."
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
                "output": _shorten(result.output if result.error is None else result.error),
                **{f"{metric} ": result.metrics.get(metric) for metric in metrics},  # a metric may have the name of a column
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
            "output": st.column_config.TextColumn(width="medium"),
        },
        hide_index=True,
        width="stretch",
        height=420 if len(results) > 10 else "content",
        on_select=partial(_open_chosen_case, key, names),
        selection_mode=["single-row", "single-cell"],
        key=key,
    )
    st.caption("Choose a row to see its case below: the input, and every output with its scores.")


def _shorten(text: str | None) -> str:
    text = " ".join((text or "").split())
    return text if len(text) <= SHORT_TEXT else text[:SHORT_TEXT] + "…"


def _open_chosen_case(key: str, names: Sequence[str]) -> None:
    """Store the case of the chosen row or cell in the address."""
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
    key, query = "cases.case", (run.id, case)
    page = session.api().results(run.id, RESULTS_OF_A_CASE, pager.current_cursor(key, query), {"case": case})
    if not page.items:
        st.info("This run has no result of the case that the address names.", icon=":material/search_off:")
        return
    if any(result.output is not None for result in page.items):
        queue_form.show(run, case)
    note = session.pop_notice()  # the list is a fragment, which the page's own notice is no part of
    if note:
        st.caption(f":material/info: {escape_markdown(note)}")
    case_results.show_case(page.items, "cases.sides")
    first = (pager.page_number(key, query) - 1) * RESULTS_OF_A_CASE
    pager.show_page_buttons(key, query, f"Results {first + 1} to {first + len(page.items)} of this case", page.next_cursor)


_result_list = st.fragment(display_errors(_show_results))
