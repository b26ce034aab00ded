"""The search for prompts over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.requests import Request

from promptuary.access.auth.idempotency import IdempotentRoute
from promptuary.access.auth.routing import Limit, PathName, authorize_caller
from promptuary.access.role import Scope
from promptuary.access.unit_of_work import Caller
from promptuary.core.parameters import STRICT_DECIMAL, STRICT_INTEGER
from promptuary.search.schemas import IndexProgressOut, PromptMatchesOut, Reindex
from promptuary.search.service import MatchLimits

router = APIRouter(prefix="/v1", tags=["context"], route_class=IdempotentRoute)
SearchText = Annotated[str, Query(min_length=1, max_length=2000, pattern=r"\S")]
LabelQuery = Annotated[str | None, Query(max_length=200)]
NumberQuery = Annotated[int | None, Query(ge=1, le=2**31 - 1), STRICT_INTEGER]
MinScore = Annotated[float | None, Query(ge=-1, le=1), STRICT_DECIMAL]


@router.get("/search")
def search(
    q: SearchText,
    request: Request,
    caller: Annotated[Caller, authorize_caller(Scope.PROMPT_READ)],
    limit: Limit = 10,
    min_score: MinScore = None,
) -> PromptMatchesOut:
    """Find prompts by their purpose, the nearest first; `behind` counts the prompts that are not in the index yet."""
    state = request.app.state
    limits = MatchLimits(min(limit, state.settings.page_limit), min_score)
    return PromptMatchesOut.of(state.prompt_search.search(caller.project, q, limits))


@router.post("/search/reindex")
def reindex_prompts(
    body: Reindex, request: Request, caller: Annotated[Caller, authorize_caller(Scope.CONTEXT_WRITE)]
) -> IndexProgressOut:
    """Index some hundreds of pending prompts: call again while `behind` is not 0."""
    return IndexProgressOut.model_validate(request.app.state.prompt_vectors.reindex(caller.project, rebuild=body.rebuild))


@router.get("/prompts/{name}/similar")
def similar(
    name: PathName,
    request: Request,
    caller: Annotated[Caller, authorize_caller(Scope.PROMPT_READ)],
    label: LabelQuery = None,
    version: NumberQuery = None,
    limit: Limit = 10,
    min_score: MinScore = None,
) -> PromptMatchesOut:
    """Find other prompts of nearly the same text as a version of this one: by label, by number, or the newest."""
    state = request.app.state
    limits = MatchLimits(min(limit, state.settings.page_limit), min_score)
    return PromptMatchesOut.of(state.prompt_search.similar(caller, name, limits, label=label, version=version))
