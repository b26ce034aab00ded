"""The prompt routes of Phoenix's client, for reading; writing is refused."""

from contextlib import suppress
from typing import Annotated

from fastapi import APIRouter, Path, Query

from promptuary.access.auth.idempotency import IdempotentRoute
from promptuary.access.auth.routing import authorize
from promptuary.access.role import Scope
from promptuary.access.unit_of_work import UnitOfWork
from promptuary.compat.error_format import PHOENIX
from promptuary.compat.names import known_name
from promptuary.compat.phoenix.schemas import (
    PhoenixPrompt,
    PhoenixPromptList,
    PhoenixVersion,
    VersionList,
    VersionResponse,
    VersionTagList,
    parse_version_id,
)
from promptuary.core.errors import Conflict, InvalidRequest
from promptuary.core.parameters import STRICT_INTEGER
from promptuary.prompt.name import LATEST, fold_label
from promptuary.registry.service import Registry

router = APIRouter(prefix=f"{PHOENIX}/v1", tags=["phoenix"], route_class=IdempotentRoute)

Read = Annotated[UnitOfWork, authorize(Scope.PROMPT_LOOKUP)]
ReadHistory = Annotated[UnitOfWork, authorize(Scope.PROMPT_READ)]
Write = Annotated[UnitOfWork, authorize(Scope.PROMPT_WRITE)]
Name = Annotated[str, Path(max_length=255)]
VersionId = Annotated[str, Path(max_length=1000)]
Limit = Annotated[int, Query(ge=1, le=10_000), STRICT_INTEGER]
Cursor = Annotated[str | None, Query(max_length=1000)]


@router.get("/prompts")
def list_prompts(unit: Read, limit: Limit = 100, cursor: Cursor = None) -> PhoenixPromptList:
    """List prompts by name."""
    prompts = Registry(unit).prompts(min(limit, unit.settings.page_limit), cursor)
    return PhoenixPromptList(data=[PhoenixPrompt.of(prompt) for prompt in prompts.items], next_cursor=prompts.next_cursor)


@router.get("/prompts/{identifier}/latest")
def read_latest(identifier: Name, unit: Read) -> VersionResponse:
    """Return a prompt's newest version."""
    return VersionResponse(data=PhoenixVersion.of(Registry(unit).lookup(known_name(unit, identifier), label=LATEST).version))


@router.get("/prompts/{identifier}/tags/{tag}")
def read_tagged(identifier: Name, tag: Annotated[str, Path(max_length=128)], unit: Read) -> VersionResponse:
    """Return the version that a label points at; of a split label, its first version."""
    return VersionResponse(
        data=PhoenixVersion.of(Registry(unit).lookup(known_name(unit, identifier), label=fold_label(tag)).version)
    )


@router.get("/prompts/{identifier}/versions")
def list_versions(identifier: Name, unit: ReadHistory, limit: Limit = 100, cursor: Cursor = None) -> VersionList:
    """List a prompt's versions that the client can format, the newest first. A page may have fewer than requested."""
    versions = Registry(unit).versions(known_name(unit, identifier), min(limit, unit.settings.page_limit), cursor)
    listed: list[PhoenixVersion] = []
    for version in versions.items:
        if version.erased_at is None:
            with suppress(Conflict):
                listed.append(PhoenixVersion.of(version))
    return VersionList(data=listed, next_cursor=versions.next_cursor)


@router.get("/prompt_versions/{version_id}")
def read_version(version_id: VersionId, unit: Read) -> VersionResponse:
    """Return a version by its id."""
    return VersionResponse(data=PhoenixVersion.of(Registry(unit).version(*parse_version_id(version_id))))


@router.get("/prompt_versions/{version_id}/tags")
def list_tags(version_id: VersionId, unit: Read) -> VersionTagList:
    """List the labels of a version."""
    return VersionTagList.of(Registry(unit).version(*parse_version_id(version_id)))


@router.post("/prompts")
def create_prompt(unit: Write) -> None:
    """Refuse the request: these routes read."""
    raise _read_only()


@router.patch("/prompts/{identifier}")
def change_prompt(identifier: Name, unit: Write) -> None:
    """Refuse the request: these routes read."""
    raise _read_only()


@router.delete("/prompts/{identifier}")
def delete_prompt(identifier: Name, unit: Write) -> None:
    """Refuse the request: these routes read."""
    raise _read_only()


@router.post("/prompt_versions/{version_id}/tags")
def create_tag(version_id: VersionId, unit: Write) -> None:
    """Refuse the request: these routes read."""
    raise _read_only()


def _read_only() -> InvalidRequest:
    return InvalidRequest(
        "prompts are read here, not written; register a version with POST /v1/prompts/{name}/versions or `promptuary push`, "
        "and move labels with PUT /v1/prompts/{name}/labels/{label}"
    )
