"""Judges over HTTP: their figures against people, and runs as labels of people decide them."""

from typing import Annotated

from fastapi import APIRouter, Path

from promptuary.access.auth.idempotency import IdempotentRoute
from promptuary.access.auth.routing import Cursor, Limit, PathName, authorize
from promptuary.access.role import Scope
from promptuary.access.unit_of_work import UnitOfWork
from promptuary.core.paging import build_page, decode_cursor
from promptuary.core.wire import PageOf
from promptuary.evaluation.runs.routes import RunId
from promptuary.evaluation.runs.service import RunService
from promptuary.review.calibration.schemas import (
    CalibrationOut,
    CorrectionsOut,
    JudgeMappingOut,
    JudgeOut,
    TuningMark,
    TuningOut,
)
from promptuary.review.queues.schemas import JudgeMappingBody

router = APIRouter(prefix="/v1", tags=["review"], route_class=IdempotentRoute)
Digest = Annotated[str, Path(pattern=r"^sha256:[0-9a-f]{64}$")]


@router.get("/judges")
def list_judges(
    unit: Annotated[UnitOfWork, authorize(Scope.RUN_READ)], limit: Limit = 50, cursor: Cursor = None
) -> PageOf[JudgeOut]:
    """List the judges of metrics, with whether their figures may be relied on."""
    from promptuary.review.calibration.service import JudgeService  # loads numpy

    after, limit = decode_cursor(cursor, str), min(limit, unit.settings.page_limit)
    rows = [JudgeOut.of(calibration) for calibration in JudgeService(unit).judges()]
    page = build_page([row for row in rows if after is None or _key(row) > after][: limit + 1], limit, _key)
    return PageOf[JudgeOut](items=list(page.items), next_cursor=page.next_cursor)


@router.get("/judges/{digest}/calibration")
def read_calibration(digest: Digest, unit: Annotated[UnitOfWork, authorize(Scope.RUN_READ)]) -> CalibrationOut:
    """Return a judge compared with people: confusion, sensitivity, specificity, agreement, curve and licence."""
    from promptuary.review.calibration.service import JudgeService  # loads numpy

    return CalibrationOut.of(JudgeService(unit).calibration(digest))


@router.get("/runs/{run}/corrections")
def read_corrections(run: RunId, unit: Annotated[UnitOfWork, authorize(Scope.RUN_READ)]) -> CorrectionsOut:
    """Return a finished run's raw means beside those that labels of people correct, and the verdict that they lead to."""
    from promptuary.review.calibration.service import JudgeService  # loads numpy

    summary = JudgeService(unit).decide(run)
    return CorrectionsOut(
        run=run,
        decided=RunService(unit).get(run).verdict,
        verdict=summary.verdict,
        judges=summary.judges,
        corrections=summary.corrections,
        gates=summary.gates,
    )


@router.put("/queues/{name}/judge")
def put_judge(
    name: PathName, body: JudgeMappingBody, unit: Annotated[UnitOfWork, authorize(Scope.REVIEW_MANAGE)]
) -> JudgeMappingOut:
    """Declare which decisions of a queue mean that an output passes, so that they are labels of a judged metric."""
    from promptuary.review.calibration.service import JudgeService  # loads numpy

    return JudgeMappingOut.model_validate(JudgeService(unit).put_mapping(name, body.mapping()))


@router.post("/queues/{name}/tuning")
def mark_tuning(name: PathName, body: TuningMark, unit: Annotated[UnitOfWork, authorize(Scope.REVIEW_MANAGE)]) -> TuningOut:
    """Mark items whose labels tuned a judge: they grade it no more, and neither do copies of them."""
    from promptuary.review.calibration.service import JudgeService  # loads numpy

    return TuningOut(marked=JudgeService(unit).mark_tuning(name, body.items, tuning=body.tuning))


def _key(judge: JudgeOut) -> str:
    return f"{judge.metric} {judge.digest}"
