"""A queue and the results of a run that belong in it: which run is meant, the queue's definition, and the added items."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from promptuary.cli.connection import ApiClient, path_segment
from promptuary.prompt.errors import FieldError, Invalid

INSTRUCTIONS = "Is the output right for this input? Compare it with the expected output, and explain why where it is not."
PAIR_QUESTIONS = {
    "instructions": "Which of the two outputs is better for this input?",
    "decisions": [],
    "schema": {"fields": [{"name": "better", "type": "preference", "title": "Which one is better?", "required": True}]},
}
"""The questions of a new queue of pairs."""
LATEST = "latest"


@dataclass(frozen=True)
class QueueRequest:
    """A queue, and the results of a run that belong in it.

    Attributes:
        queue: the queue's name.
        run: the run's id.
        selection: the members of `POST /queues/{queue}/items` beside `run`, such as `only` and `variant`.
        definition: the members of `PUT /queues/{queue}` that change; the others stay as they are, or have their defaults in
            a new queue.
    """

    queue: str
    run: str
    selection: Mapping[str, Any] = field(default_factory=dict)
    definition: Mapping[str, Any] = field(default_factory=dict)


def fill(api: ApiClient, request: QueueRequest) -> Any:
    """Create a queue where there is none, change what the request defines, and add the results; return how many are added.

    Items that are in the queue already are not added again. A queue that another person creates or changes at the same time
    is not written over.

    Raises:
        ApiRefused: when the queue has changed between reading and writing it; no item is added.
    """
    api.get(f"/runs/{path_segment(request.run)}")  # an unknown run leaves no empty queue behind
    path = f"/queues/{path_segment(request.queue)}"
    tag = api.tag_or_none(path)
    if tag is None:
        questions = PAIR_QUESTIONS if "pairs" in request.selection else {"instructions": INSTRUCTIONS}
        api.put_if(path, {**questions, **request.definition}, None)
    elif request.definition:
        api.put_if(path, request.definition, tag)
    return api.post(f"{path}/items", {"run": request.run, **request.selection})


def describe_filled(queue: str, added: Any) -> str:
    """Return how many items were added, how many were in the queue already, and how many are left out as gold."""
    gold = f", {added['gold']} left out since their cases are gold" if added["gold"] else ""
    repeated = f" ({added['repeated']} of them again, with the sides swapped)" if added["repeated"] else ""
    return f"{queue}: {added['added']} items added{repeated}, {added['present']} in the queue already{gold}"


def find_run(api: ApiClient, run: str | None, suite: str | None) -> str:
    """Return the id of the run that is meant: `latest` is the newest finished run of one suite, and of no other.

    Args:
        api: the service.
        run: an id or `latest`; None means `latest` where a suite is named.
        suite: the suite whose run it is; None where only one suite has a finished run.

    Raises:
        Invalid: when neither is passed, the suite has no finished run, several suites have one and none is named, or the run
            is of another suite.
        ApiRefused: when there is no such suite, or no such run.
    """
    if run is None and suite is None:
        raise Invalid("no run is named", [FieldError("--run", "pass a run, or --suite for its newest run")])
    if run is not None and run != LATEST:
        return _run_of_suite(api, run, suite)
    if suite is not None:
        api.get(f"/suites/{path_segment(suite)}")  # an unknown suite is an error of its own
        newest = _newest_run(api, suite)
        if newest is None:
            raise Invalid(f"the suite '{suite}' has no finished run; run it first, or pass the id of a run that has results")
        return newest
    runs = {name: newest for name in _suite_names(api) if (newest := _newest_run(api, name)) is not None}
    if not runs:
        raise Invalid("there is no finished run to review; run a suite first")
    if len(runs) > 1:
        names = ", ".join(runs)
        raise Invalid("the suite of `latest` is not named", [FieldError("--suite", f"several have finished runs: {names}")])
    return next(iter(runs.values()))


def _run_of_suite(api: ApiClient, run: str, suite: str | None) -> str:
    stored_run = api.get(f"/runs/{path_segment(run)}")
    if suite is not None and stored_run["suite"] != suite:
        message = f"the run is of the suite '{stored_run['suite']}'; leave --suite out, or pass a run of '{suite}'"
        raise Invalid(f"the run '{run}' is not of the suite '{suite}'", [FieldError("--suite", message)])
    return run


def _suite_names(api: ApiClient) -> list[str]:
    return [suite["name"] for suite in api.items("/suites")]


def _newest_run(api: ApiClient, suite: str) -> str | None:
    runs = api.get("/runs", suite=suite, state="finished", limit=1)["items"]
    return str(runs[0]["id"]) if runs else None
