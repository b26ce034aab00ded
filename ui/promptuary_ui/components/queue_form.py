"""The form that sends a run's results, or those of one case, to a review queue."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st

from promptuary_ui import session
from promptuary_ui.client import Api, ApiError
from promptuary_ui.components.number_format import format_count
from promptuary_ui.components.text import escape_markdown
from promptuary_ui.wire.review import AddedItems, Queue
from promptuary_ui.wire.runs import Run

SCOPE = "review:manage"
INSTRUCTIONS = "Is the output right for this input? Compare it with the expected output, and explain why where it is not."
"""What a new queue asks, in the words of `promptuary review open`."""
SLICE = "slice"
SELECTIONS = {
    "failed": "Failed",
    "disagree": "Cases on which variants disagree",
    "all": "All",
    SLICE: "A random slice of all",
}
ALL_VARIANTS = "All variants"
SLICE_SIZE, SLICE_LIMIT, SEED_LIMIT = 50, 10_000, 2**53 - 1
NO_JUDGE = "No judge"
DECISIONS, PASSES = ("approve", "reject", "unsure"), "approve"
"""The decisions of a new queue, and the one that passes an output."""
NEW_QUEUE = ""
"""The choice of a queue that does not exist yet."""


@dataclass(frozen=True)
class _Request:
    """Results that a queue gets.

    Attributes:
        queue: its name.
        is_new: whether it may have to be created.
        body: that of the API's call.
        judge: the judge that its labels measure, as the API's; None where it stays as it is.
    """

    queue: str
    is_new: bool
    body: Mapping[str, Any]
    judge: Mapping[str, Any] | None = None


def show(run: Run, case: str | None = None) -> None:
    """Show the form in a popover to those who manage queues; with `case`, it sends the results of that case."""
    if not (session.has_scope(SCOPE) and run.done):
        return
    key = f"review.{run.id}" if case is None else f"review.case.{run.id}"
    label = "Review" if case is None else "Review this case"
    with st.popover(label, icon=":material/rate_review:", key=key, on_change="rerun") as popover:
        if popover.open:
            _show_fields(run, case, key)


def _show_fields(run: Run, case: str | None, key: str) -> None:
    queues = {queue.name: queue for queue in session.api().queues()}
    names = list(queues)
    chosen = st.selectbox(
        "Queue",
        [*names, NEW_QUEUE],
        index=None if names else 0,
        format_func=lambda name: name or "A new queue",
        placeholder="Choose a queue",
        key=f"{key}.queue",
        persist_state="page",
    )
    is_new = chosen == NEW_QUEUE
    if is_new:
        chosen = st.text_input("Name of the new queue", key=f"{key}.name", max_chars=200, persist_state="page").strip()
    body = {"run": run.id, **(_choose_results(run, key) if case is None else {"cases": [case]})}
    judge = _choose_judge(run, queues.get(chosen or ""), key) if "sample" in body and chosen else None
    st.caption("Results without an output are left out, and results that are in the queue already stay as they are.")
    refusal = st.session_state.pop(f"{key}.refusal", None)
    if refusal:
        st.error(escape_markdown(refusal), icon=":material/error:")
    request = _Request(chosen or "", is_new, body, judge)
    st.button("Send to review", key=f"{key}.send", type="primary", disabled=not chosen, on_click=_send, args=(request, key))


def _choose_results(run: Run, key: str) -> dict[str, Any]:
    """Return the chosen results as the API's parameters. A random slice needs all results, so a run that is over."""
    variants = [variant.name for variant in run.variants]
    unavailable = {*(() if run.over else (SLICE,)), *(() if len(variants) > 1 else ("disagree",))}
    options = [name for name in SELECTIONS if name not in unavailable]
    only = st.selectbox("Results", options, format_func=SELECTIONS.__getitem__, key=f"{key}.only", persist_state="page")
    variant = ALL_VARIANTS
    if len(variants) > 1:
        variant = st.selectbox("Variant", [ALL_VARIANTS, *variants], key=f"{key}.variant", persist_state="page")
    body: dict[str, Any] = {"only": only}
    if only == SLICE:
        size, seed = st.columns(2)
        body = {
            "sample": {
                "size": size.number_input("Size", 1, SLICE_LIMIT, SLICE_SIZE, key=f"{key}.size", persist_state="page"),
                "seed": seed.number_input("Seed", 0, SEED_LIMIT, 0, key=f"{key}.seed", persist_state="page"),
            }
        }
        st.caption("The same seed draws the same slice again. Each item keeps the probability with which it was drawn.")
    return body if variant == ALL_VARIANTS else {**body, "variant": variant}


def _choose_judge(run: Run, queue: Queue | None, key: str) -> dict[str, Any] | None:
    """Return the judge of the run that the labels measure, as the API's; None for none, and where the queue names one."""
    if run.summary is None or not run.summary.judges or run.state != "finished":
        return None
    metrics = list(dict.fromkeys(judge.metric for judge in session.api().corrections(run.id).judges))
    mapping = (queue.source or {}).get("judge") if queue else None
    if isinstance(mapping, dict):
        passes = ", ".join(map(str, mapping.get("passes", ())))
        st.caption(
            escape_markdown(f"Its labels measure the judge of {mapping.get('metric')}; an output passes with: {passes}.")
        )
        return None
    metric = st.selectbox("Labels measure the judge of", [*metrics, NO_JUDGE], key=f"{key}.judge", persist_state="page")
    if metric == NO_JUDGE:
        st.caption(f"The labels do not count for {', '.join(metrics)}: the queue names no judge.")
        return None
    decisions = [decision.value for decision in queue.decisions] if queue else list(DECISIONS)
    default = [value for value in decisions if value == PASSES]
    chosen = st.multiselect(
        "An output passes with", decisions, default=default, key=f"{key}.passes.{queue.name if queue else ''}"
    )
    if not chosen:
        st.caption("Choose at least one decision: without one the labels do not count.")
    return {"metric": metric, "passes": chosen} if chosen else None


def _send(request: _Request, key: str) -> None:
    """Send the results, and close the form with a notice; an error is shown in the form, which stays open."""
    api, created = session.api(), False
    try:
        created = request.is_new and _create_queue(api, request.queue)
        if request.judge is not None:
            api.set_judge(request.queue, request.judge)
        added = api.fill_queue(request.queue, request.body)
    except ApiError as error:
        suffix = f" The new queue {request.queue} is empty." if created else ""
        st.session_state[f"{key}.refusal"] = error.sentence + suffix
        return
    session.set_notice(describe(request.queue, added))
    st.session_state[key] = False


def _create_queue(api: Api, name: str) -> bool:
    """Create a queue; return False for one that exists already, which stays as it is."""
    try:
        api.queue(name)
    except ApiError as error:
        if error.status != 404:
            raise
        api.create_queue(name, INSTRUCTIONS)
        return True
    return False


def describe(queue: str, added: AddedItems) -> str:
    """Return how many results were added to a queue, how many were there already, and how many are gold."""
    counts = [f"{format_count(added.added)} added", f"{format_count(added.present)} in the queue already"]
    if added.gold:
        counts.append(f"{format_count(added.gold)} left out since their cases are gold")
    return f"Queue {queue}: {', '.join(counts)}."
