"""Rules for sampled calls, and online scores, over HTTP."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from promptuary.access.auth.idempotency import IdempotentRoute
from promptuary.access.auth.routing import Cursor, Limit, PathName, authorize, authorize_caller
from promptuary.access.role import Scope
from promptuary.access.unit_of_work import Caller, UnitOfWork
from promptuary.core.errors import FieldError, InvalidRequest
from promptuary.core.parameters import Timestamp
from promptuary.core.wire import PageOf
from promptuary.evaluation.datasets import store as dataset_store
from promptuary.evaluation.datasets.service import DatasetService
from promptuary.prompt.name import Name
from promptuary.registry.labels import require_prompt
from promptuary.traffic.online import store
from promptuary.traffic.online.schemas import InputDriftOut, OnlineScoresOut, OnlineSeriesOut, TrafficRuleIn, TrafficRuleOut
from promptuary.traffic.online.service import TrafficRuleService
from promptuary.traffic.replay.selection import CallSelection, choose_calls
from promptuary.traffic.replay.store import list_calls

router = APIRouter(prefix="/v1", tags=["traffic"], route_class=IdempotentRoute)
PERIOD = timedelta(days=30)


@router.put("/traffic/rules/{name}")
def put_traffic_rule(
    name: PathName, body: TrafficRuleIn, unit: Annotated[UnitOfWork, authorize(Scope.TRAFFIC_MANAGE)]
) -> TrafficRuleOut:
    """Store a rule: sampled calls of a prompt that reviewers get, and scorers that run on all of them.

    The worker does it from now on, for calls whose wait is over.
    """
    return TrafficRuleOut.of(TrafficRuleService(unit).put(body.rule(name, unit.caller.identity, unit.clock())))


@router.get("/traffic/rules")
def list_traffic_rules(
    unit: Annotated[UnitOfWork, authorize(Scope.TRAFFIC_MANAGE)], limit: Limit = 50, cursor: Cursor = None
) -> PageOf[TrafficRuleOut]:
    """Return the rules of the project by name."""
    page = TrafficRuleService(unit).rules(min(limit, unit.settings.page_limit), cursor)
    return PageOf[TrafficRuleOut](items=[TrafficRuleOut.of(rule) for rule in page.items], next_cursor=page.next_cursor)


@router.get("/traffic/rules/{name}")
def read_traffic_rule(name: PathName, unit: Annotated[UnitOfWork, authorize(Scope.TRAFFIC_MANAGE)]) -> TrafficRuleOut:
    """Return a rule, and why its last step failed."""
    return TrafficRuleOut.of(TrafficRuleService(unit).get(name))


@router.delete("/traffic/rules/{name}", status_code=204)
def delete_traffic_rule(name: PathName, unit: Annotated[UnitOfWork, authorize(Scope.TRAFFIC_MANAGE)]) -> Response:
    """Delete a rule; the items and scores that it made stay."""
    TrafficRuleService(unit).delete(name)
    return Response(status_code=204)


@router.get("/prompts/{name}/online-scores")
def read_online_scores(
    name: PathName,
    unit: Annotated[UnitOfWork, authorize(Scope.TRAFFIC_READ)],
    since: Annotated[Timestamp | None, Query()] = None,
    until: Annotated[Timestamp | None, Query()] = None,
) -> OnlineScoresOut:
    """Return the online scores of a prompt by version, over the time and by day; the last 30 days by default.

    Each call weighs by the inverse of its inclusion probability, so that a mean is that of all calls.
    """
    from promptuary.traffic.online.series import online_series  # it needs numpy

    prompt = require_prompt(unit, name)
    last = until or unit.clock()
    first = since or last - PERIOD
    scored = store.scored_calls(unit.session, unit.caller.project, prompt.id, first, last)
    return OnlineScoresOut(
        prompt=name,
        since=first,
        until=last,
        totals=[OnlineSeriesOut.model_validate(each) for each in online_series(scored, by_day=False)],
        days=[OnlineSeriesOut.model_validate(each) for each in online_series(scored, by_day=True)],
    )


@router.get("/prompts/{name}/input-drift")
def read_input_drift(
    name: PathName,
    dataset: Annotated[Name, Query()],
    request: Request,
    caller: Annotated[Caller, authorize_caller(Scope.OBSERVATION_READ)],
    since: Annotated[Timestamp | None, Query()] = None,
    until: Annotated[Timestamp | None, Query()] = None,
) -> InputDriftOut:
    """Compare the variables of sampled calls, of the last 30 days by default, with a dataset's: lengths and nearest cases.

    At most 300 calls, chosen at random, and the first 1,000 cases are compared.
    """
    from promptuary.traffic.online.drift import CALLS_LIMIT, CASES_LIMIT, input_drift  # it needs numpy

    state = request.app.state
    with state.database.read() as session:
        unit = UnitOfWork(session, caller, state.clock, state.settings)
        prompt = require_prompt(unit, name)
        last = until or unit.clock()
        selection = CallSelection(since or last - PERIOD, last, limit=CALLS_LIMIT)
        sampled = list_calls(session, caller.project, prompt.id, selection)
        calls = [call for call in sampled if call.contents is not None and call.contents.variables is not None]
        version = DatasetService(unit).get(dataset)
        cases = dataset_store.list_cases(session, version.id, 0, CASES_LIMIT)
    if not calls:
        message = f"the sample has no call of '{name}' with variables in this time"
        raise InvalidRequest("nothing can be compared", [FieldError("since", message)])
    drift = input_drift(choose_calls(calls, selection), cases, state.retrieval.backend.embedder.embed)
    return InputDriftOut.model_validate(drift)
