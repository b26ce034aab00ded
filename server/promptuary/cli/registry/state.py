"""What the registry holds, read by way of the API and kept while a command compares it with files."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from promptuary.cli.connection import ApiClient
from promptuary.prompt.content import Content
from promptuary.prompt.digest import content_digest, content_from_json
from promptuary.prompt.errors import InvalidPrompt
from promptuary.prompt.inclusion import IncludedVersion, compose, content_references, without_partials


@dataclass(frozen=True)
class PromptState:
    """A prompt of the registry: its newest version's number and tags, where its labels point, which are split."""

    newest: int = 0
    labels: Mapping[str, int] = field(default_factory=dict)
    splits: Mapping[str, Any] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    revision: int = 0
    archived: bool = False


class RegistryState:
    """Every prompt of a project by name, and the versions that were asked for."""

    def __init__(self, api: ApiClient) -> None:
        """Ask nothing yet."""
        self.api = api
        self._versions: dict[tuple[str, int], Any] = {}

    @cached_property
    def prompts(self) -> dict[str, PromptState]:
        """Every prompt by its name, the archived ones too; read once."""
        return {
            one["name"]: PromptState(one["newest"], one["labels"], one["splits"], tuple(one["tags"]), one["revision"], archived)
            for archived in (False, True)
            for one in self.api.items("/prompts", archived=archived or None)
        }

    def version(self, name: str, number: int) -> Any:
        """Give a version as the API does; it never changes."""
        if (name, number) not in self._versions:
            self._versions[name, number] = self.api.get(f"/prompts/{name}/versions/{number}")
        return self._versions[name, number]

    def included(self, name: str, number: int) -> IncludedVersion:
        """Give a version as what it is to those who include it."""
        body = self.version(name, number)
        return IncludedVersion(name, number, content_of(body), pins(body))

    def as_written(self, body: Any) -> Content:
        """Give a version's content as its author wrote it."""
        brought = [content_of(self.version(include["name"], include["version"])).variables for include in body["includes"]]
        return without_partials(content_of(body), brought)

    def says(self, content: Content, body: Any) -> bool:
        """Tell whether a content as it is written is that of a version, with what the version is pinned to."""
        if {reference for _, reference in content_references(content)} != pins(body).keys():
            return False
        found = {one["reference"]: self.included(one["name"], one["version"]) for one in body["includes"]}
        try:
            return content_digest(compose(content, found)) == str(body["digest"])
        except InvalidPrompt:
            return False


def content_of(body: Mapping[str, Any]) -> Content:
    """Read the content of a version."""
    return content_from_json({part: body[part] for part in Content.model_fields})


def pins(body: Mapping[str, Any]) -> dict[str, str]:
    """Give what each reference of a version is pinned to, as `name@number`."""
    return {include["reference"]: f"{include['name']}@{include['version']}" for include in body["includes"]}
