"""The registry over HTTP."""

import math
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Header, Path, Query
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Send
from starlette.types import Scope as ASGIScope

from promptuary.access.auth.authentication import authenticate_request
from promptuary.access.auth.completion import CompletedResponse
from promptuary.access.auth.conditions import ReadConditions, WriteConditions
from promptuary.access.auth.idempotency import IdempotentRoute
from promptuary.access.auth.routing import Cursor, Limit, PathName, authorize, authorize_caller
from promptuary.access.role import Scope
from promptuary.access.unit_of_work import Caller, UnitOfWork
from promptuary.core.clock import Clock
from promptuary.core.errors import FieldError, InvalidRequest
from promptuary.core.parameters import STRICT_INTEGER, Flag, Timestamp
from promptuary.core.wire import PageOf
from promptuary.registry.diff.schemas import DiffOut
from promptuary.registry.diff.versions import compare_versions
from promptuary.registry.events.event import EventKind
from promptuary.registry.events.stream import EventStream
from promptuary.registry.imports.schemas import ImportOut, ImportPrompt, PreviewImport
from promptuary.registry.imports.service import PromptImporter
from promptuary.registry.label_store import Label
from promptuary.registry.labels import Labels
from promptuary.registry.lookup_response import MEDIA_TYPE, build_response, is_client_of_0_3
from promptuary.registry.schemas import (
    Archive,
    DependentOut,
    Dependents,
    ErasedVersionOut,
    EventOut,
    LabelOut,
    LookupOut,
    MoveLabel,
    MoveOut,
    NewTags,
    NewVersion,
    PreviewOut,
    PromptOut,
    RegisteredOut,
    Renew,
    RollBack,
    TagsOut,
    VersionOut,
)
from promptuary.registry.service import RegistrationDetails, Registry
from promptuary.registry.similarity import merge_warnings, same_content_warnings
from promptuary.registry.store import PromptFilter
from promptuary.registry.tags import Tags

router = APIRouter(prefix="/v1", tags=["registry"], route_class=IdempotentRoute)
NumberQuery = Annotated[int | None, Query(ge=1, le=2**31 - 1), STRICT_INTEGER]
NumberPath = Annotated[int, Path(ge=1, le=2**31 - 1), STRICT_INTEGER]
Text = Annotated[str | None, Query(max_length=200)]


@router.post(
    "/prompts/{name}/versions", status_code=201, response_model=RegisteredOut, responses={200: {"model": RegisteredOut}}
)
def register(
    name: PathName,
    body: NewVersion,
    request: Request,
    unit: Annotated[UnitOfWork, authorize(Scope.PROMPT_WRITE)],
    similar: Flag = False,
) -> Response:
    """Register a version: 201 for a new one, 200 when the newest version has the same content.

    `tags` that are sent replace those of the version with the same content; its message stays.
    `warnings` names other prompts of the same content, and with `similar=true` those of nearly the same text.
    """
    content = body.content()
    details = RegistrationDetails(body.message, body.sent_tags(), tuple(body.labels), body.given_name)
    registration = Registry(unit).create(name, content, details)
    same_content = same_content_warnings(unit, registration.version)
    status = 201 if registration.created else 200
    registered = RegisteredOut.with_warnings(registration.version, same_content)
    if not similar:
        return Response(registered.model_dump_json(), status, media_type=MEDIA_TYPE)
    project, checker = unit.caller.project, request.app.state.similarity_checker

    def add_similar_prompts() -> str:
        warnings = merge_warnings(same_content, checker.check_similarity(project, name, content))
        return registered.replace_warnings(warnings).model_dump_json()

    return CompletedResponse(request, unit.caller, registered.model_dump_json(), status, add_similar_prompts)


@router.post("/prompts/{name}/preview")
def preview(
    name: PathName, body: NewVersion, unit: Annotated[UnitOfWork, authorize(Scope.PROMPT_READ, reads=True)]
) -> PreviewOut:
    """Return what a registration would do: the digest, and whether it would be a new version. Nothing is written."""
    return PreviewOut.of(name, Registry(unit).preview(name, body.content()))


@router.get("/prompts/{name}", response_model=LookupOut, responses={304: {"description": "unchanged"}})
def look_up(
    name: PathName,
    request: Request,
    conditions: ReadConditions,
    unit: Annotated[UnitOfWork, authorize(Scope.PROMPT_LOOKUP)],
    label: Text = None,
    version: NumberQuery = None,
    targeting_key: Annotated[str | None, Query(max_length=1000)] = None,
    as_of: Timestamp | None = None,
) -> Response:
    """Return one version by label (`production` by default) or by number; now, or as of a time in the past."""
    result = Registry(unit).lookup(name, label=label, version=version, targeting_key=targeting_key, as_of=as_of)
    response = build_response(result, infers=not is_client_of_0_3(request.scope["headers"]))
    conditions.require_match(response.tag, f"the prompt '{name}'")
    if conditions.if_none_match is not None and conditions.if_none_match.match_weakly(response.tag):
        return Response(status_code=304, headers=response.headers)
    return Response(response.body, headers=response.headers, media_type=MEDIA_TYPE)


@router.get("/prompts")
def list_prompts(
    unit: Annotated[UnitOfWork, authorize(Scope.PROMPT_LOOKUP)],
    search: Text = None,
    label: Text = None,
    tag: Text = None,
    archived: Flag = False,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> PageOf[PromptOut]:
    """List the active prompts, or the archived ones, ordered by name.

    `search` finds a part of a name or tag, and words of the name and of the newest version's content, the names first.
    """
    conditions = PromptFilter(label=label, tag=tag, archived=archived, search=search)
    prompts = Registry(unit).prompts(min(limit, unit.settings.page_limit), cursor, conditions)
    return PageOf[PromptOut].model_validate(prompts)


@router.get("/prompts/{name}/versions")
def list_versions(
    name: PathName, unit: Annotated[UnitOfWork, authorize(Scope.PROMPT_READ)], limit: Limit = 50, cursor: Cursor = None
) -> PageOf[VersionOut | ErasedVersionOut]:
    """List a prompt's versions, the newest first. One that was erased has `erased_at`, and no content."""
    versions = Registry(unit).versions(name, min(limit, unit.settings.page_limit), cursor)
    items = [
        VersionOut.of(version) if version.erased_at is None else ErasedVersionOut.of(version, version.erased_at)
        for version in versions.items
    ]
    return PageOf[VersionOut | ErasedVersionOut](items=items, next_cursor=versions.next_cursor)


@router.get("/prompts/{name}/versions/{number}")
def read_version(name: PathName, number: NumberPath, unit: Annotated[UnitOfWork, authorize(Scope.PROMPT_READ)]) -> VersionOut:
    """Return one version."""
    return VersionOut.of(Registry(unit).version(name, number))


@router.put("/prompts/{name}/versions/{number}/tags")
def set_version_tags(
    name: PathName, number: NumberPath, body: NewTags, unit: Annotated[UnitOfWork, authorize(Scope.PROMPT_WRITE)]
) -> TagsOut:
    """Replace the tags of a version, also of one that was erased; its content and digest stay."""
    return TagsOut(tags=list(Tags(unit).replace_version_tags(name, number, body.tags)))


@router.put("/prompts/{name}/tags")
def set_prompt_tags(name: PathName, body: NewTags, unit: Annotated[UnitOfWork, authorize(Scope.PROMPT_WRITE)]) -> TagsOut:
    """Replace the prompt's own tags, which do not change with its versions."""
    return TagsOut(tags=list(Tags(unit).replace_prompt_tags(name, body.tags)))


@router.get("/prompts/{name}/diff")
def diff(
    name: PathName,
    unit: Annotated[UnitOfWork, authorize(Scope.PROMPT_READ)],
    before: Annotated[str, Query(alias="from", min_length=1, max_length=128)],
    after: Annotated[str, Query(alias="to", min_length=1, max_length=128)],
) -> DiffOut:
    """Compare two versions, each a number or a label; report which changes break a program that works with the first."""
    return DiffOut.of(compare_versions(Registry(unit), name, before, after))


@router.post("/prompts/{name}/archive")
def archive(name: PathName, unit: Annotated[UnitOfWork, authorize(Scope.LABEL_MOVE)], body: Archive | None = None) -> PromptOut:
    """Archive a prompt: lookups by label and lists leave it out. Nothing is deleted."""
    return PromptOut.model_validate(Registry(unit).archive(name, (body or Archive()).reason))


@router.post("/prompts/{name}/restore")
def restore(name: PathName, unit: Annotated[UnitOfWork, authorize(Scope.LABEL_MOVE)], body: Archive | None = None) -> PromptOut:
    """Restore an archived prompt."""
    return PromptOut.model_validate(Registry(unit).restore(name, (body or Archive()).reason))


@router.get("/prompts/{name}/events")
def list_events(
    name: PathName,
    unit: Annotated[UnitOfWork, authorize(Scope.PROMPT_READ)],
    kind: Annotated[list[EventKind] | None, Query(max_length=10)] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> PageOf[EventOut]:
    """List a prompt's events, the newest first; of all kinds by default."""
    events = Registry(unit).events(name, min(limit, unit.settings.page_limit), cursor, kind or ())
    return PageOf[EventOut].model_validate(events)


@router.post("/prompts/{name}/import")
def import_prompt(name: PathName, body: ImportPrompt, unit: Annotated[UnitOfWork, authorize(Scope.PROMPT_IMPORT)]) -> ImportOut:
    """Import a prompt from another server, with its numbers, digests, authors, times and label history.

    Versions come first, then moves, then archivals, in one request or several. What exists here stays unchanged.
    """
    return ImportOut.of(name, PromptImporter(unit).import_prompt_history(name, body.sorted_versions(), body.to_history()))


@router.post("/prompts/{name}/import/preview")
def preview_import(
    name: PathName, body: PreviewImport, unit: Annotated[UnitOfWork, authorize(Scope.PROMPT_IMPORT, reads=True)]
) -> ImportOut:
    """Return what an import would do, or why it is not possible. Nothing is written."""
    return ImportOut.of(name, PromptImporter(unit).preview(name, body.digests_by_number(), body.to_history()))


@router.get("/prompts/{name}/dependents")
def list_dependents(name: PathName, unit: Annotated[UnitOfWork, authorize(Scope.PROMPT_READ)]) -> Dependents:
    """List the versions in use that include this prompt, with the newer version that each could take."""
    return Dependents(dependents=[DependentOut.of(update) for update in Registry(unit).include_updates(name)])


@router.post("/prompts/{name}/renew", status_code=201, responses={200: {"model": VersionOut}})
def renew(
    name: PathName, response: Response, unit: Annotated[UnitOfWork, authorize(Scope.PROMPT_WRITE)], body: Renew | None = None
) -> VersionOut:
    """Register the newest version with its includes resolved again: 201 when one has changed, else 200."""
    registration = Registry(unit).renew(name, (body or Renew()).message)
    response.status_code = 201 if registration.created else 200
    return VersionOut.of(registration.version)


@router.get("/prompts/{name}/labels/{label}", response_model=LabelOut, responses={304: {"description": "unchanged"}})
def read_label(
    name: PathName,
    label: PathName,
    conditions: ReadConditions,
    response: Response,
    unit: Annotated[UnitOfWork, authorize(Scope.PROMPT_READ)],
) -> LabelOut | Response:
    """Return what a label points at; its ETag is the value for `If-Match`."""
    current = Labels(unit).label(name, label, conditions)
    if conditions.if_none_match is not None and conditions.if_none_match.match_weakly(current.tag):
        return Response(status_code=304, headers={"ETag": current.tag})
    return _label_response(current, response)


@router.put("/prompts/{name}/labels/{label}")
def move_label(
    name: PathName,
    label: PathName,
    body: MoveLabel,
    conditions: WriteConditions,
    response: Response,
    unit: Annotated[UnitOfWork, authorize(Scope.LABEL_MOVE, conditional=True)],
) -> LabelOut:
    """Move a label to a version, or split it over several.

    With `If-Match: "…"` only if it has not moved since, with `If-None-Match: *` only if it does not exist yet.
    """
    labels = Labels(unit)
    if body.version is not None:
        return _label_response(labels.move(name, label, body.version, body.reason, conditions), response)
    weights = [(arm.version, arm.weight) for arm in body.split or ()]
    return _label_response(labels.split(name, label, weights, body.reason, conditions), response)


@router.delete("/prompts/{name}/labels/{label}", status_code=204)
def remove_label(
    name: PathName,
    label: PathName,
    conditions: WriteConditions,
    unit: Annotated[UnitOfWork, authorize(Scope.LABEL_MOVE, conditional=True)],
    reason: Annotated[str, Query(max_length=2000)] = "removed",
) -> None:
    """Remove a label: lookups by it are 404 from now on. Its history stays, and a rollback brings it back."""
    Labels(unit).remove(name, label, reason, conditions)


@router.post("/prompts/{name}/labels/{label}/rollback")
def roll_back(
    name: PathName,
    label: PathName,
    conditions: WriteConditions,
    response: Response,
    unit: Annotated[UnitOfWork, authorize(Scope.LABEL_MOVE, conditional=True)],
    to: NumberQuery = None,
    body: RollBack | None = None,
) -> LabelOut:
    """Move a label back to its last different target, or `to` a version that it has pointed at; a split keeps its buckets.

    The next rollback goes one step further back. `to` may stand in the query or in the body.
    """
    rollback = body or RollBack()
    if to is not None and rollback.to not in (None, to):
        raise InvalidRequest(
            "the label cannot be rolled back", [FieldError("to", "is another version in the query and the body")]
        )
    return _label_response(Labels(unit).roll_back(name, label, rollback.reason, to or rollback.to, conditions), response)


@router.get("/prompts/{name}/labels/{label}/history")
def label_history(
    name: PathName,
    label: PathName,
    unit: Annotated[UnitOfWork, authorize(Scope.PROMPT_READ)],
    limit: Limit = 50,
    cursor: Cursor = None,
) -> PageOf[MoveOut]:
    """List a label's history, the newest move first."""
    moves = Labels(unit).history(name, label, min(limit, unit.settings.page_limit), cursor)
    return PageOf[MoveOut].model_validate(moves)


@router.get("/stream", response_class=StreamingResponse, responses={200: {"content": {"text/event-stream": {}}}})
async def stream(
    request: Request,
    caller: Annotated[Caller, authorize_caller(Scope.PROMPT_LOOKUP)],
    last_event_id: Annotated[int | None, Header(ge=0, le=2**53), STRICT_INTEGER] = None,
) -> StreamingResponse:
    """Send every change of the project's prompts as a server-sent event; `Last-Event-ID` resumes.

    The stream ends as soon as the key or session does.
    """
    event_stream: EventStream = request.app.state.event_stream
    clock: Clock = request.app.state.clock

    def check() -> None:
        authenticate_request(request).require(Scope.PROMPT_LOOKUP)

    def seconds_left() -> float:
        return math.inf if caller.expires_at is None else (caller.expires_at - clock()).total_seconds()

    events = event_stream.follow(caller.project, last_event_id, check, seconds_left)
    return _FollowResponse(event_stream, events)


class _FollowResponse(StreamingResponse):
    """A stream that counts as a follower exactly while it is sent; refused with 503 before it begins."""

    def __init__(self, event_stream: EventStream, events: AsyncIterator[bytes]) -> None:
        super().__init__(
            events, headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"}, media_type="text/event-stream"
        )
        self._event_stream = event_stream

    async def __call__(self, scope: ASGIScope, receive: Receive, send: Send) -> None:
        with self._event_stream.reserve():
            await super().__call__(scope, receive, send)


def _label_response(label: Label, response: Response) -> LabelOut:
    response.headers["ETag"] = label.tag
    return LabelOut.model_validate(label)
