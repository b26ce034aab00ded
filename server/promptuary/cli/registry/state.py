"""The state of the registry, read through the API and cached while a command compares it with files."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from promptuary.cli.connection import ApiClient, ApiRefused
from promptuary.prompt.content import Content
from promptuary.prompt.digest import content_digest, content_from_json, content_parts
from promptuary.prompt.errors import FieldError, Invalid, InvalidPrompt
from promptuary.prompt.inclusion import IncludedVersion, compose, content_references, without_partials
from promptuary.prompt.name import LATEST


@dataclass(frozen=True)
class PromptState:
    """A prompt in the registry: the number and tags of its newest version, the targets of its labels, and its splits."""

    newest: int = 0
    labels: Mapping[str, int] = field(default_factory=dict)
    splits: Mapping[str, Any] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    revision: int = 0
    archived: bool = False


class RegistryState:
    """Every prompt of a project by name, and the versions that were read."""

    def __init__(self, api: ApiClient) -> None:
        """Store the client; nothing is read yet."""
        self.api = api
        self._versions: dict[tuple[str, int], Any] = {}

    @cached_property
    def prompts(self) -> dict[str, PromptState]:
        """Every prompt by its name, including archived ones; read once."""
        return {
            prompt["name"]: PromptState(
                prompt["newest"], prompt["labels"], prompt["splits"], tuple(prompt["tags"]), prompt["revision"], archived
            )
            for archived in (False, True)
            for prompt in self.api.items("/prompts", archived=archived or None)
        }

    def require_labels(self, labels: Iterable[str], archived: Collection[str] = ()) -> None:
        """Check that each label is `latest`, or one of a prompt that is not archived.

        Args:
            labels: the labels.
            archived: prompts that count although they are archived.

        Raises:
            Invalid: with each label that no prompt has, and the labels there are.
        """
        existing = sorted(
            {label for name, state in self.prompts.items() if not state.archived or name in archived for label in state.labels}
        )
        remedy = f"the labels there are: {', '.join(existing)}" if existing else "there are no labels"
        field_errors = [
            FieldError("--label", f"no prompt has the label '{label}'; {remedy}")
            for label in labels
            if label != LATEST and label not in existing
        ]
        if field_errors:
            raise Invalid("nothing was written", field_errors)

    def version(self, name: str, number: int) -> Any:
        """Return a version as the API does; it is read once, since it never changes."""
        if (name, number) not in self._versions:
            self._versions[name, number] = self.api.get(f"/prompts/{name}/versions/{number}")
        return self._versions[name, number]

    def find_version(self, name: str, number: int) -> Any | None:
        """Return a version as the API does; None for one whose content was erased."""
        try:
            return self.version(name, number)
        except ApiRefused as error:
            if error.code != "erased":
                raise
            return None

    def erased_versions(self, name: str) -> dict[int, str]:
        """Return the digests of a prompt's versions whose content was erased, by number."""
        versions = self.api.items(f"/prompts/{name}/versions")
        return {int(item["version"]): str(item["digest"]) for item in versions if item.get("erased_at")}

    def included(self, name: str, number: int) -> IncludedVersion:
        """Return a version as those that include it see it."""
        body = self.version(name, number)
        return IncludedVersion(name, number, content_of(body), pins(body))

    def as_written(self, body: Any) -> Content:
        """Return a version's content as its author wrote it."""
        included_variables = [
            content_of(self.version(include["name"], include["version"])).variables for include in body["includes"]
        ]
        return without_partials(content_of(body), included_variables)

    def has_content(self, content: Content, body: Any) -> bool:
        """Return whether a content as written is that of a version, with the versions that it is pinned to."""
        if {reference for _, reference in content_references(content)} != pins(body).keys():
            return False
        if any(self.find_version(entry["name"], entry["version"]) is None for entry in body["includes"]):
            return False  # its text was erased with that of the version that it includes
        resolved = {entry["reference"]: self.included(entry["name"], entry["version"]) for entry in body["includes"]}
        try:
            return content_digest(compose(content, resolved)) == str(body["digest"])
        except InvalidPrompt:
            return False


def content_of(body: Mapping[str, Any]) -> Content:
    """Parse the content of a version."""
    return content_from_json(content_parts(body))


def pins(body: Mapping[str, Any]) -> dict[str, str]:
    """Return what each reference of a version is pinned to, as `name@number`."""
    return {include["reference"]: f"{include['name']}@{include['version']}" for include in body["includes"]}
