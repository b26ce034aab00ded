"""The prompt routes of LangSmith's client, for reading; a push is refused."""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from promptuary.access.auth.authentication import KeyPlace
from promptuary.access.auth.idempotency import IdempotentRoute
from promptuary.access.auth.routing import authorize
from promptuary.access.role import Scope
from promptuary.access.unit_of_work import UnitOfWork
from promptuary.compat.error_format import LANGSMITH
from promptuary.compat.langsmith.schemas import (
    OWNER,
    Commit,
    CommitList,
    ListedCommit,
    Repo,
    RepoList,
    RepoResponse,
    ServerInfo,
    Tenant,
    is_commit_hash,
)
from promptuary.compat.names import known_name
from promptuary.compat.prompt_listing import all_prompts
from promptuary.core.errors import InvalidRequest, NotFound
from promptuary.core.parameters import STRICT_INTEGER, Flag
from promptuary.prompt.name import LATEST, fold_label
from promptuary.prompt.numbers import parse_version_number
from promptuary.registry.labels import require_prompt
from promptuary.registry.service import Registry
from promptuary.registry.store import PromptFilter
from promptuary.registry.version_store import Version

router = APIRouter(prefix=LANGSMITH, tags=["langsmith"], route_class=IdempotentRoute)

Read = Annotated[UnitOfWork, authorize(Scope.PROMPT_LOOKUP, key_place=KeyPlace.X_API_KEY)]
ReadHistory = Annotated[UnitOfWork, authorize(Scope.PROMPT_READ, key_place=KeyPlace.X_API_KEY)]
Write = Annotated[UnitOfWork, authorize(Scope.PROMPT_WRITE, key_place=KeyPlace.X_API_KEY)]
Owner = Annotated[str, Path(max_length=255)]
Name = Annotated[str, Path(max_length=255)]
Limit = Annotated[int, Query(ge=1, le=10_000), STRICT_INTEGER]
Offset = Annotated[int, Query(ge=0, le=1_000_000), STRICT_INTEGER]


@router.get("/info")
def info(_unit: Read) -> ServerInfo:
    """Return what the client asks of a server before its first call."""
    return ServerInfo()


@router.get("/settings")
def settings(unit: Read) -> Tenant:
    """Return the key's project."""
    return Tenant.of(unit.caller.project_name, unit.clock())


@router.get("/commits/{owner}/{repo}/{commit}")
def read_commit(owner: Owner, repo: Name, commit: Annotated[str, Path(max_length=128)], unit: Read) -> Commit:
    """Return a version as a manifest: by label, by the beginning of its digest, by number, or the newest as `latest`."""
    _require_owner(unit, owner)
    return Commit.of(_select_version(unit, known_name(unit, repo), commit), repo)


@router.get("/commits/{owner}/{repo}")
def list_commits(owner: Owner, repo: Name, unit: ReadHistory, limit: Limit = 100, offset: Offset = 0) -> CommitList:
    """List a prompt's versions, the newest first."""
    _require_owner(unit, owner)
    registry, name = Registry(unit), known_name(unit, repo)
    newest = require_prompt(unit, name).newest
    numbers = range(newest - offset, max(newest - offset - min(limit, unit.settings.page_limit), 0), -1)
    commits = [ListedCommit.of(registry.stored_version(name, number), repo) for number in numbers]
    return CommitList(commits=commits, total=newest)


@router.get("/repos")
def list_repos(
    unit: Read,
    query: Annotated[str | None, Query(max_length=200)] = None,
    is_archived: Flag = False,
    limit: Limit = 100,
    offset: Offset = 0,
) -> RepoList:
    """List prompts by name, or those with a text in their name."""
    registry = Registry(unit)
    prompts = list(all_prompts(registry, PromptFilter(query, archived=is_archived)))
    page = prompts[offset : offset + min(limit, unit.settings.page_limit)]
    project = unit.caller.project_name
    repos = [Repo.of(prompt, registry.stored_version(prompt.name, prompt.newest), project) for prompt in page]
    return RepoList(repos=repos, total=len(prompts))


@router.get("/repos/{owner}/{repo}")
def read_repo(owner: Owner, repo: Name, unit: Read) -> RepoResponse:
    """Return a prompt."""
    _require_owner(unit, owner)
    prompt = require_prompt(unit, known_name(unit, repo))
    newest = Registry(unit).stored_version(prompt.name, prompt.newest)
    return RepoResponse(repo=Repo.of(prompt, newest, unit.caller.project_name, repo))


@router.post("/repos")
def create_repo(unit: Write) -> None:
    """Refuse the request: these routes read."""
    raise _read_only()


@router.patch("/repos/{owner}/{repo}")
def change_repo(owner: Owner, repo: Name, unit: Write) -> None:
    """Refuse the request: these routes read."""
    raise _read_only()


@router.delete("/repos/{owner}/{repo}")
def delete_repo(owner: Owner, repo: Name, unit: Write) -> None:
    """Refuse the request: these routes read."""
    raise _read_only()


@router.post("/commits/{owner}/{repo}")
def create_commit(owner: Owner, repo: Name, unit: Write) -> None:
    """Refuse the request: these routes read."""
    raise _read_only()


def _select_version(unit: UnitOfWork, name: str, commit: str) -> Version:
    """Return the version that a commit names; a label comes before a digest, and a digest before a number."""
    registry = Registry(unit)
    prompt = require_prompt(unit, name)
    label = fold_label(commit)
    if label == LATEST or label in prompt.labels:
        return registry.lookup(name, label=label).version
    if is_commit_hash(commit):
        return registry.version_by_digest(name, commit)
    number = parse_version_number(commit)
    if number is not None:
        return registry.version(name, number)
    return registry.lookup(name, label=commit).version  # not found, with the labels that there are


def _require_owner(unit: UnitOfWork, owner: str) -> None:
    if owner not in (OWNER, unit.caller.project_name):
        raise NotFound(f"there is no owner '{owner}'; a key sees the prompts of its own project, without an owner in the name")


def _read_only() -> InvalidRequest:
    return InvalidRequest(
        "prompts are read here, not pushed; register a version with POST /v1/prompts/{name}/versions or `promptuary push`"
    )
