"""The prompt routes of the Langfuse SDK."""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from promptuary.access.auth.authentication import KeyPlace
from promptuary.access.auth.idempotency import IdempotentRoute
from promptuary.access.auth.routing import authorize
from promptuary.access.role import Scope
from promptuary.access.unit_of_work import UnitOfWork
from promptuary.compat.error_format import LANGFUSE
from promptuary.compat.langfuse.schemas import (
    SDK,
    LangfuseProject,
    LangfusePrompt,
    NewLabels,
    NewPrompt,
    Organization,
    PageMeta,
    ProjectList,
    PromptList,
    PromptMeta,
    config_of,
    labels_of,
)
from promptuary.compat.names import changeable_name, known_name, new_name
from promptuary.compat.prompt_listing import all_prompts
from promptuary.compat.sdk_rendering import require_sdk_renderable
from promptuary.core.errors import FieldError, InvalidRequest
from promptuary.core.parameters import STRICT_INTEGER, Flag
from promptuary.prompt.digest import content_from_json
from promptuary.prompt.name import LATEST, fold_label
from promptuary.registry.given_names import resolve_name
from promptuary.registry.labels import Labels
from promptuary.registry.service import RegistrationDetails, Registry
from promptuary.registry.store import PromptFilter, PromptRecord

router = APIRouter(prefix=LANGFUSE, tags=["langfuse"], route_class=IdempotentRoute)

Read = Annotated[UnitOfWork, authorize(Scope.PROMPT_LOOKUP, key_place=KeyPlace.BASIC)]
Write = Annotated[UnitOfWork, authorize(Scope.PROMPT_WRITE, key_place=KeyPlace.BASIC)]
Move = Annotated[UnitOfWork, authorize(Scope.LABEL_MOVE, key_place=KeyPlace.BASIC)]
Text = Annotated[str | None, Query(max_length=200)]
Name = Annotated[str, Path(max_length=255)]
Number = Annotated[int | None, Query(ge=1, le=2**31 - 1), STRICT_INTEGER]
_REASON = "by a Langfuse client"


@router.get("/projects")
def projects(unit: Read) -> ProjectList:
    """Return the key's project, for the SDK's `auth_check`."""
    name = unit.caller.project_name
    organization = Organization(id="promptuary", name="Promptuary")
    return ProjectList(data=[LangfuseProject(id=name, name=name, organization=organization, metadata={})])


@router.post("/v2/prompts", status_code=201)
def create(body: NewPrompt, unit: Write) -> LangfusePrompt:
    """Register a version, and move the labels to it. Tags are the prompt's: they are replaced where some are sent."""
    content, name = body.content(), new_name(unit, body.name)
    details = RegistrationDetails(
        message=body.commitMessage or "",
        labels=tuple(label for label in body.labels or () if label != LATEST),
        given_name=body.name,
        each_is_new=True,
        prompt_tags=None if body.tags is None else tuple(body.tags),
    )
    version = Registry(unit).create(name, content, details).version
    require_sdk_renderable(content_from_json(version.content), SDK)  # with its partials
    return LangfusePrompt.as_source(version, body.name)


@router.get("/v2/prompts")
def list_prompts(
    unit: Read,
    name: Text = None,
    label: Text = None,
    tag: Text = None,
    page: Annotated[int, Query(ge=1, le=1_000_000), STRICT_INTEGER] = 1,
    limit: Annotated[int, Query(ge=1, le=10_000), STRICT_INTEGER] = 50,
    from_updated: Annotated[str | None, Query(alias="fromUpdatedAt")] = None,
    to_updated: Annotated[str | None, Query(alias="toUpdatedAt")] = None,
    conditions: Annotated[str | None, Query(alias="filter")] = None,
) -> PromptList:
    """List prompts by name, page by page; for a label, each with the version that has it."""
    unsupported = {"fromUpdatedAt": from_updated, "toUpdatedAt": to_updated, "filter": conditions}
    field_errors = [
        FieldError(key, "is not supported; filter by name, label and tag") for key, value in unsupported.items() if value
    ]
    if field_errors:
        raise InvalidRequest("the list cannot be filtered this way", field_errors)
    registry, limit = Registry(unit), min(limit, unit.settings.page_limit)
    label = fold_label(label) if label else None
    exact_name = None if name is None else resolve_name(unit, name)
    selected = PromptFilter(exact_name, None if label == LATEST else label, tag)
    prompts = [prompt for prompt in all_prompts(registry, selected) if exact_name in (None, prompt.name)]
    items = [_meta(registry, prompt, name, label) for prompt in prompts[(page - 1) * limit : page * limit]]
    return PromptList(data=items, meta=PageMeta.of(page, limit, len(prompts)))


@router.get("/v2/prompts/{name:path}")
def look_up(name: Name, unit: Read, version: Number = None, label: Text = None, resolve: Flag = True) -> LangfusePrompt:
    """Return one version by label (`production` by default) or by number.

    Its texts are those that the SDK can compile, with partials; with `resolve=false` they are the source.
    """
    folded_label = None if label is None else fold_label(label)
    selected = Registry(unit).lookup(known_name(unit, name), label=folded_label, version=version).version
    return LangfusePrompt.resolved(selected, name) if resolve else LangfusePrompt.as_source(selected, name)


@router.patch("/v2/prompts/{name:path}/versions/{version}")
def add_labels(
    name: Name, version: Annotated[int, Path(ge=1, le=2**31 - 1), STRICT_INTEGER], body: NewLabels, unit: Move
) -> LangfusePrompt:
    """Move labels to a version; it keeps its other labels."""
    prompt_name = changeable_name(unit, name)
    for label in dict.fromkeys(body.newLabels):
        Labels(unit).move(prompt_name, label, version, _REASON)
    return LangfusePrompt.as_source(Registry(unit).version(prompt_name, version), name)


@router.delete("/v2/prompts/{name:path}")
def delete(name: Name, unit: Write) -> None:
    """Refuse the request: nothing is deleted."""
    known_name(unit, name)
    raise InvalidRequest("nothing is deleted; archive the prompt with POST /v1/prompts/{name}/archive")


def _meta(registry: Registry, prompt: PromptRecord, name: str | None, label: str | None) -> PromptMeta:
    number = prompt.newest if label in (None, LATEST) else prompt.labels[label]
    version = registry.stored_version(prompt.name, number)
    return PromptMeta(
        name=name or prompt.given_name or prompt.name,
        type=version.content.get("type", "text"),  # an erased version has no content
        versions=list(range(1, prompt.newest + 1)) if label is None else [number],
        labels=[*prompt.labels, LATEST] if label is None else labels_of(version),
        tags=list(prompt.prompt_tags),
        lastUpdatedAt=version.created_at,
        lastConfig=config_of(version) if version.content else {},
    )
