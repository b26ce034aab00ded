"""The sample's calls over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from promptuary.access.auth.idempotency import IdempotentRoute
from promptuary.access.auth.routing import Cursor, Limit, authorize
from promptuary.access.role import Scope
from promptuary.access.unit_of_work import UnitOfWork
from promptuary.core.parameters import STRICT_INTEGER, Timestamp
from promptuary.core.wire import PageOf
from promptuary.prompt.name import Name
from promptuary.traffic.calls.model_call import CallStatus
from promptuary.traffic.sample.schemas import ObservationOut
from promptuary.traffic.sample.service import ObservationRequest, get_observation, list_observations
from promptuary.traffic.sample.store import SampledFeedback
from promptuary.traffic.tables import Stratum

router = APIRouter(prefix="/v1", tags=["traffic"], route_class=IdempotentRoute)
Read = Annotated[UnitOfWork, authorize(Scope.OBSERVATION_READ)]
ObservationId = Annotated[str, Path(min_length=1, max_length=100)]


@router.get("/observations")
def list_sampled_calls(
    unit: Read,
    prompt: Annotated[Name | None, Query()] = None,
    version: Annotated[int | None, Query(ge=1, le=2**31 - 1), STRICT_INTEGER] = None,
    status: Annotated[CallStatus | None, Query()] = None,
    start: Annotated[Timestamp | None, Query(alias="from")] = None,
    end: Annotated[Timestamp | None, Query(alias="to")] = None,
    stratum: Annotated[Stratum | None, Query()] = None,
    feedback: Annotated[SampledFeedback | None, Query()] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> PageOf[ObservationOut]:
    """List the calls of the sample with their contents, the newest first; calls that wait for their place are not in it."""
    request = ObservationRequest(
        prompt=prompt, version=version, status=status, start=start, end=end, stratum=stratum, feedback=feedback
    )
    page = list_observations(unit, request, min(limit, unit.settings.page_limit), cursor)
    return PageOf[ObservationOut](items=[ObservationOut.of(call) for call in page.items], next_cursor=page.next_cursor)


@router.get("/observations/{observation}")
def read_sampled_call(observation: ObservationId, unit: Read) -> ObservationOut:
    """Return a call of the sample with its contents and the feedback on it."""
    return ObservationOut.of(get_observation(unit, observation))
