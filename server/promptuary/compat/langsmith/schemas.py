"""The wire models of LangSmith's client: a prompt is a repo, a version is a commit with a manifest of LangChain.

A commit's hash is the version's digest, so versions with the same content are the same commit.
"""

import re
import uuid
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Self

from pydantic import Field

from promptuary.compat.sdk_rendering import Piece, SdkTemplateReader, sdk_texts
from promptuary.core.errors import Conflict
from promptuary.core.wire import ResponseModel
from promptuary.prompt.content import Content
from promptuary.prompt.digest import content_from_json, content_json
from promptuary.prompt.errors import InvalidPrompt
from promptuary.prompt.foreign.langchain_manifest import langchain_manifest
from promptuary.prompt.templates import simple
from promptuary.prompt.templates.preparation import prepare
from promptuary.prompt.templates.tree import Literal, Tag
from promptuary.registry.store import PromptRecord
from promptuary.registry.version_store import Version

OWNER = "-"
"""The owner of a prompt that belongs to the key's own project."""
_HASH = re.compile(r"[0-9a-f]{7,64}")
_INSTEAD = "use Promptuary's client, or POST /v1/prompts/{name}/render"


def _read(text: str) -> Iterator[Piece]:
    """Parse a text in which a prompt's partials are put in; it is registered nowhere."""
    return (node for node in simple.parse(text) if isinstance(node, Literal | Tag))


_FLAT = SdkTemplateReader(name="LangChain", read=_read, instead=_INSTEAD)


class Commit(ResponseModel):
    """A version with its manifest."""

    owner: str
    repo: str
    commit_hash: str
    manifest: dict[str, Any]
    examples: list[dict[str, Any]]
    description: str | None
    created_at: datetime

    @classmethod
    def of(cls, version: Version, name: str) -> Self:
        """Build the wire model with the manifest, under the name that was requested.

        Raises:
            Conflict: when LangChain has no equivalent of the version, with the reason.
        """
        return cls(
            owner=OWNER,
            repo=name,
            commit_hash=commit_hash(version),
            manifest=_manifest(version),
            examples=[],
            description=version.message or None,
            created_at=version.created_at,
        )


class ListedCommit(ResponseModel):
    """A version in a list."""

    id: uuid.UUID
    owner: str
    repo: str
    commit_hash: str
    created_at: datetime
    updated_at: datetime
    description: str | None

    @classmethod
    def of(cls, version: Version, name: str) -> Self:
        """Build the wire model, under the name that was requested."""
        return cls(
            id=_uuid(f"{version.prompt}/{version.number}"),
            owner=OWNER,
            repo=name,
            commit_hash=commit_hash(version),
            created_at=version.created_at,
            updated_at=version.created_at,
            description=version.message or None,
        )


class CommitList(ResponseModel):
    """A page of versions, and the number of all."""

    commits: list[ListedCommit]
    total: int


class Repo(ResponseModel):
    """A prompt; nothing is counted, so likes, downloads and views are 0."""

    repo_handle: str
    description: str
    id: str
    tenant_id: str
    created_at: datetime
    updated_at: datetime
    is_public: bool
    is_archived: bool
    tags: list[str]
    owner: str | None
    full_name: str
    num_likes: int
    num_downloads: int
    num_views: int
    last_commit_hash: str
    num_commits: int

    @classmethod
    def of(cls, prompt: PromptRecord, newest: Version, project: str, name: str | None = None) -> Self:
        """Build the wire model from the prompt and its newest version; under the name that was requested, if there is one."""
        handle = name or prompt.given_name or prompt.name
        return cls(
            repo_handle=handle,
            description=newest.message,
            id=str(_uuid(f"{project}/{prompt.name}")),
            tenant_id=str(_uuid(project)),
            created_at=prompt.created_at,
            updated_at=newest.created_at,
            is_public=False,
            is_archived=prompt.archived_at is not None,
            tags=list(prompt.tags),
            owner=None,
            full_name=handle,
            num_likes=0,
            num_downloads=0,
            num_views=0,
            last_commit_hash=commit_hash(newest),
            num_commits=prompt.newest,
        )


class RepoResponse(ResponseModel):
    """A prompt, in its wrapper."""

    repo: Repo


class RepoList(ResponseModel):
    """A page of prompts, and the number of all."""

    repos: list[Repo]
    total: int


class ServerInfo(ResponseModel):
    """What LangSmith's client asks of a server.

    The version is LangSmith's own and so empty, which the client takes for a server without its later features. The flag is
    for the form of runs, which are not taken; without it the client logs that the server is out of date.
    """

    version: str = ""
    license_expiration_time: datetime | None = None
    batch_ingest_config: dict[str, Any] | None = None
    instance_flags: dict[str, bool] = Field(default_factory=lambda: {"zstd_compression_enabled": True})


class Tenant(ResponseModel):
    """The key's project."""

    id: str
    display_name: str
    created_at: datetime
    tenant_handle: str | None

    @classmethod
    def of(cls, project: str, at: datetime) -> Self:
        """Build the wire model."""
        return cls(id=str(_uuid(project)), display_name=project, created_at=at, tenant_handle=None)


def commit_hash(version: Version) -> str:
    """Return the hash of a version's commit."""
    return version.digest.removeprefix("sha256:")


def is_commit_hash(text: str) -> bool:
    """Return whether a text may be the beginning of a commit's hash."""
    return _HASH.fullmatch(text) is not None


def _manifest(version: Version) -> dict[str, Any]:
    what = f"version {version.number} of '{version.prompt}'"
    content = content_from_json(version.content)
    if content.context:
        raise Conflict(
            f"LangChain cannot render {what}: its context, passages of '{content.context.collection}', is retrieved by the "
            f"server alone; {_INSTEAD}"
        )
    if content.format == "jinja2":
        raise Conflict(f"LangChain cannot render {what}: it is a Jinja2 template, which its clients do not load; {_INSTEAD}")
    try:
        return langchain_manifest(prepare(_without_partials(content, what)))
    except InvalidPrompt as error:
        reasons = "; ".join(field_error.message for field_error in error.field_errors)
        raise Conflict(f"LangChain cannot render {what}: {reasons or error.message}") from None


def _without_partials(content: Content, what: str) -> Content:
    """Return a content with its partials put in, which LangChain's manifest has no place for."""
    if not content.partials:
        return content
    texts = iter(sdk_texts(content, what, _FLAT))
    body = content_json(content) | {"partials": {}, "format": "simple"}
    if isinstance(content.template, str):
        body["template"] = next(texts)
    else:
        body["template"] = [
            message if message["role"] == "placeholder" else message | {"content": next(texts)} for message in body["template"]
        ]
    return content_from_json(body)


def _uuid(text: str) -> uuid.UUID:
    """Return an id that is the same each time; this server has names."""
    return uuid.uuid5(uuid.NAMESPACE_URL, f"urn:promptuary:{text}")
