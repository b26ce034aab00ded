"""Who reads which calls of the sample. Each reading of contents is logged with who reads, and without what they contain."""

from dataclasses import dataclass
from datetime import datetime

import structlog

from promptuary.access.unit_of_work import UnitOfWork
from promptuary.core.errors import FieldError, InvalidCursor, InvalidRequest, NotFound
from promptuary.core.paging import Page, build_page, decode_cursor
from promptuary.prompt.numbers import parse_timestamp
from promptuary.registry.labels import require_prompt
from promptuary.traffic.calls.model_call import CallStatus
from promptuary.traffic.sample import store
from promptuary.traffic.sample.observation import Observation
from promptuary.traffic.sample.store import SampledFeedback, SamplePosition, SampleQuery
from promptuary.traffic.settings.store import load_project_traffic
from promptuary.traffic.tables import Stratum

log = structlog.get_logger(__name__)
_SEPARATOR = "|"


@dataclass(frozen=True, kw_only=True)
class ObservationRequest:
    """Which calls somebody wants to see; None for every value. See `SampleQuery`."""

    prompt: str | None = None
    version: int | None = None
    status: CallStatus | None = None
    start: datetime | None = None
    end: datetime | None = None
    stratum: Stratum | None = None
    feedback: SampledFeedback | None = None


def list_observations(unit: UnitOfWork, request: ObservationRequest, limit: int, cursor: str | None) -> Page[Observation]:
    """List the calls of the sample, the newest first.

    Raises:
        NotFound: when there is no such prompt.
        InvalidRequest: for a version without its prompt.
    """
    if request.version is not None and request.prompt is None:
        raise InvalidRequest("the query cannot be answered", [FieldError("version", "needs the prompt whose version it is")])
    prompt = None if request.prompt is None else require_prompt(unit, request.prompt).id
    project = unit.caller.project
    low_value = load_project_traffic(unit.session, project, unit.settings).settings.low_value
    fields = {**vars(request), "prompt": prompt, "low_value": low_value}
    rows = store.list_observations(unit.session, SampleQuery(project=project, **fields), _position(cursor), limit + 1)
    page = build_page(rows, limit, _key)
    _log_reading(unit, len(page.items))
    return page


def get_observation(unit: UnitOfWork, observation: str) -> Observation:
    """Return a call of the sample.

    Raises:
        NotFound: when the sample does not have it, or its wait is not over.
    """
    observed = store.find_observation(unit.session, unit.caller.project, observation)
    if observed is None:
        raise NotFound(
            f"the sample has no call '{observation}': only a share of the calls is stored, and a call is there when its wait "
            "is over; GET /v1/prompts/{name}/traffic counts every call"
        )
    _log_reading(unit, 1)
    return observed


def _log_reading(unit: UnitOfWork, calls: int) -> None:
    if calls:
        log.info("observations read", identity=unit.caller.identity, project=unit.caller.project_name, calls=calls)


def _key(observation: Observation) -> str:
    return f"{observation.at.isoformat()}{_SEPARATOR}{observation.id}"


def _position(cursor: str | None) -> SamplePosition | None:
    """Return the place of a cursor.

    Raises:
        InvalidCursor: for a cursor of another list.
    """
    key = decode_cursor(cursor, str)
    if key is None:
        return None
    at, separator, observation = key.partition(_SEPARATOR)
    try:
        if not separator:
            raise ValueError(key)
        return SamplePosition(parse_timestamp(at), observation)
    except ValueError:
        raise InvalidCursor("the cursor is not one of this list; start again without one") from None
