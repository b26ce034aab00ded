"""Feedback over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from promptuary.access.auth.idempotency import IdempotentRoute
from promptuary.access.auth.routing import Cursor, Limit, authorize
from promptuary.access.role import Scope
from promptuary.access.unit_of_work import UnitOfWork
from promptuary.core.parameters import STRICT_DECIMAL, STRICT_INTEGER
from promptuary.core.wire import PageOf
from promptuary.traffic.feedback.schemas import (
    FeedbackBody,
    FeedbackIn,
    FeedbackOut,
    FeedbackReport,
    RejectedFeedback,
    UnusableItem,
)
from promptuary.traffic.feedback.service import FeedbackService, ListedFeedback

router = APIRouter(prefix="/v1", tags=["traffic"], route_class=IdempotentRoute)
Text = Annotated[str | None, Query(min_length=1, max_length=200)]
VersionNumber = Annotated[int | None, Query(ge=1), STRICT_INTEGER]
Below = Annotated[float | None, Query(ge=0, le=1), STRICT_DECIMAL]


@router.post(
    "/feedback",
    status_code=201,
    response_model=FeedbackOut,
    responses={
        200: {"model": FeedbackOut, "description": "Stored before: repeated, or replaced by this one."},
        202: {"model": FeedbackReport, "description": "What became of a list."},
    },
)
def add_feedback(
    body: FeedbackBody, unit: Annotated[UnitOfWork, authorize(Scope.FEEDBACK_SEND)], response: Response
) -> FeedbackOut | Response:
    """Store feedback on a version, and on a call where it is named.

    The body is one feedback, or `{"items": […]}` with up to 1,000, of which the answer lists those that were refused. The same
    feedback once more changes nothing; another one under the same `id` replaces it, and the counters follow.
    """
    service = FeedbackService(unit)
    if body.items is not None:
        usable = {index: item.new_feedback() for index, item in enumerate(body.items) if isinstance(item, FeedbackIn)}
        reception = service.add_list(usable)
        unusable = [
            RejectedFeedback.unusable(index, item) for index, item in enumerate(body.items) if isinstance(item, UnusableItem)
        ]
        rejected = [*unusable, *(RejectedFeedback.of(refused) for refused in reception.refused)]
        report = FeedbackReport(accepted=reception.accepted, rejected=sorted(rejected, key=lambda each: each.index))
        return Response(report.model_dump_json(), 202, media_type="application/json")
    view = service.add(body.new_feedback())
    if not view.is_new:
        response.status_code = 200
    return FeedbackOut.of(view)


@router.get("/feedback")
def list_feedback(
    unit: Annotated[UnitOfWork, authorize(Scope.OBSERVATION_READ)],
    prompt: Text = None,
    version: VersionNumber = None,
    observation: Text = None,
    name: Text = None,
    below: Below = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> PageOf[FeedbackOut]:
    """Return feedback, the newest first; of a prompt, a version, a call, or a metric, or with a value below a number."""
    listed = ListedFeedback(prompt, version, observation, name, below)
    page = FeedbackService(unit).find(limit, cursor, listed)
    return PageOf(items=[FeedbackOut.of(view) for view in page.items], next_cursor=page.next_cursor)
