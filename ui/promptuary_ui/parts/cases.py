"""The cases of a run, looked for by the API a page at a time, for a run may have very many; a click shows one whole."""

from collections.abc import Sequence
from functools import partial

import streamlit as st

from promptuary_ui import session
from promptuary_ui.evaluations import Result, Run
from promptuary_ui.parts import pager, sidebyside
from promptuary_ui.parts.figures import money
from promptuary_ui.parts.guard import guarded

CASE = "case"
ROWS = 50
MOST = 200
"""The most results of one case that are shown."""
SHORT = 300
ALL = "All variants"
KINDS = ("All", "Failed", "Passed", "Errors")
ORDERS = {
    "file": "As in the file",
    "score": "Lowest score first",
    "latency": "Slowest first",
    "cost": "Dearest first",
    "tokens": "Longest answer first",
}
_Wanted = tuple[tuple[str, str], ...]


def show(run: Run) -> None:
    """Show the filters, the page of results that they leave, and the case that the address names."""
    wanted = _filters(run)
    _table(run, wanted)


def _filters(run: Run) -> _Wanted:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        search = st.text_input(
            "Search",
            key="cases.search",
            placeholder="Part of an input, an answer, an error or a case's name",
            icon=":material/search:",
            max_chars=400,
            persist_state="page",
        )
        kind = st.segmented_control("Verdict", KINDS, default="All", required=True, key="cases.kind", persist_state="page")
        names = [variant.name for variant in run.variants]
        variant = st.selectbox("Variant", [ALL, *names], key=f"cases.variant.{run.id}", persist_state="page", width=200)
    with st.expander("More filters, and the order", icon=":material/tune:", key="cases.more", on_change="rerun"):
        more = _more(run)
    wanted: dict[str, str | None] = {
        "search": (search or "").strip() or None,
        "passed": {"Failed": "false", "Passed": "true"}.get(kind or ""),
        "errors": "true" if kind == "Errors" else None,
        "variant": None if variant in (None, ALL) else variant,
        **more,
    }
    return tuple((name, value) for name, value in wanted.items() if value is not None)


def _more(run: Run) -> dict[str, str | None]:
    metrics = metrics_of(run)
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


def metrics_of(run: Run) -> list[str]:
    """Give the metrics that results can be looked for by; before the summary, those that every run has."""
    return run.summary.metrics if run.summary is not None else ["score", "pass"]


def _draw(run: Run, wanted: _Wanted) -> None:
    key, asked = "cases.page", (run.id, wanted)
    cursor = pager.cursor(key, asked)
    found = session.api().results(run.id, ROWS, cursor, dict(wanted))
    if not found.items:
        st.info(_nothing(run, wanted), icon=":material/search_off:")
    else:
        first = (pager.page(key, asked) - 1) * ROWS
        _rows(found.items, f"cases.table.{abs(hash((asked, cursor)))}")
        more = "" if found.next_cursor is None else ", and there are more"
        pager.turns(key, asked, f"Results {first + 1} to {first + len(found.items)}{more}", found.next_cursor)
    _case(run)


def _nothing(run: Run, wanted: _Wanted) -> str:
    if wanted:
        return "No result is like that. Take a filter away to see more."
    return "This run has no result." if run.over else "There is no result yet."


def _rows(results: Sequence[Result], key: str) -> None:
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
                "answer": _short(result.output if result.error is None else result.error),
                **{f"{metric} ": result.metrics.get(metric) for metric in metrics},  # a metric may be called as a column
                "score": result.score,
                "time, ms": result.latency_ms,
                **({"cost": money(result.cost)} if priced else {}),
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
        on_select=partial(_chosen, key, names),
        selection_mode=["single-row", "single-cell"],
        key=key,
    )
    st.caption("Choose a row to see its case below: the input, and every answer with its reasons.")


def _short(text: str | None) -> str:
    text = " ".join((text or "").split())
    return text if len(text) <= SHORT else text[:SHORT] + "…"


def _chosen(key: str, names: Sequence[str]) -> None:
    """Put the case of the row or the cell that was chosen into the address."""
    selection = st.session_state[key].selection
    places = [*selection.rows, *(row for row, _ in selection.cells)]
    if places and places[-1] < len(names):
        st.query_params[CASE] = names[places[-1]]
    else:
        st.query_params.pop(CASE, None)


def _case(run: Run) -> None:
    case = st.query_params.get(CASE)
    if case is None:
        return
    st.divider()
    found = session.api().results(run.id, MOST, None, {"case": case})
    if not found.items:
        st.info("This run has no result of the case that the address names.", icon=":material/search_off:")
        return
    sidebyside.case(found.items, "cases.case")
    if found.next_cursor is not None:
        st.caption(f"The first {MOST} results of this case are shown.")


_table = st.fragment(guarded(_draw))
