"""The tags of prompts and versions: they describe, are no part of a content, and each change of them is audited.

A tag is a text: a word, or `key=value` for registries whose tags are keys with values.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from promptuary.access import audit
from promptuary.access.store import lock_project
from promptuary.access.unit_of_work import UnitOfWork
from promptuary.core.errors import FieldError, InvalidRequest, NotFound
from promptuary.prompt.text import refused_character
from promptuary.registry import tag_store, version_store
from promptuary.registry.events.event import EventKind
from promptuary.registry.events.recording import record_event
from promptuary.registry.labels import require_not_archived, require_prompt
from promptuary.registry.store import PromptRecord
from promptuary.registry.version_store import Version

TAG_LENGTH = 200
TAGS_LIMIT = 50


def tag_text(key: str, value: str = "") -> str:
    """Return the text of a tag with a key and a value; a tag without a value is its key."""
    return f"{key}={value}" if value else key


def tag_pairs(tags: Sequence[str]) -> dict[str, str]:
    """Return tags as values by keys; a word has the value ''."""
    pairs = (tag.partition("=") for tag in tags)
    return {key: value for key, _, value in pairs}


def valid_tags(tags: Sequence[str]) -> tuple[str, ...]:
    """Return tags without repetitions.

    Raises:
        InvalidRequest: for more than `TAGS_LIMIT`, or one that is empty, longer than `TAG_LENGTH` or not text.
    """
    unique = tuple(dict.fromkeys(tags))
    field_errors = [
        FieldError(
            f"tags.{number}", refused_character(tag) or f"must have 1 to {TAG_LENGTH} characters, key and value together"
        )
        for number, tag in enumerate(unique)
        if not 1 <= len(tag) <= TAG_LENGTH or refused_character(tag)
    ]
    if len(unique) > TAGS_LIMIT:
        field_errors.append(FieldError("tags", f"are over the limit of {TAGS_LIMIT}"))
    if field_errors:
        raise InvalidRequest("the tags cannot be set", field_errors)
    return unique


@dataclass(frozen=True)
class Tags:
    """A project's tags, on behalf of a caller."""

    unit: UnitOfWork

    def set_prompt_tag(self, name: str, key: str, value: str) -> None:
        """Set a tag of a prompt; it replaces one with the same key.

        Raises:
            InvalidRequest: for a tag that cannot be set.
            NotFound: for an unknown prompt.
            Conflict: for an archived prompt.
        """
        prompt = self._lock(name)
        replace_prompt_tags(self.unit, prompt, _with_tag(prompt.prompt_tags, key, value))

    def remove_prompt_tag(self, name: str, key: str) -> None:
        """Remove a tag of a prompt; without such a tag, nothing changes.

        Raises:
            NotFound, Conflict: as `set_prompt_tag`.
        """
        prompt = self._lock(name)
        replace_prompt_tags(self.unit, prompt, _without_tag(prompt.prompt_tags, key))

    def set_version_tag(self, name: str, number: int, key: str, value: str) -> None:
        """Set a tag of a version; it replaces one with the same key. The version's content and digest stay.

        Raises:
            InvalidRequest: for a tag that cannot be set.
            NotFound: for an unknown prompt or version.
            Conflict: for an archived prompt.
        """
        prompt = self._lock(name)
        version = self._version(prompt, number)
        replace_version_tags(self.unit, prompt, version, _with_tag(version.tags, key, value))

    def remove_version_tag(self, name: str, number: int, key: str) -> None:
        """Remove a tag of a version; without such a tag, nothing changes.

        Raises:
            NotFound, Conflict: as `set_version_tag`.
        """
        prompt = self._lock(name)
        version = self._version(prompt, number)
        replace_version_tags(self.unit, prompt, version, _without_tag(version.tags, key))

    def replace_prompt_tags(self, name: str, tags: Sequence[str]) -> tuple[str, ...]:
        """Replace the own tags of a prompt, and return them.

        Raises:
            InvalidRequest, NotFound, Conflict: as `set_prompt_tag`.
        """
        return replace_prompt_tags(self.unit, self._lock(name), tags).prompt_tags

    def replace_version_tags(self, name: str, number: int, tags: Sequence[str]) -> tuple[str, ...]:
        """Replace the tags of a version, perhaps an erased one, and return them. Its content and digest stay.

        Raises:
            InvalidRequest, NotFound, Conflict: as `set_version_tag`.
        """
        prompt = self._lock(name)
        return replace_version_tags(self.unit, prompt, self._version(prompt, number), tags)

    def _lock(self, name: str) -> PromptRecord:
        lock_project(self.unit.session, self.unit.caller.project)
        prompt = require_prompt(self.unit, name, lock=True)
        require_not_archived(prompt)
        return prompt

    def _version(self, prompt: PromptRecord, number: int) -> Version:
        version = version_store.find_version(self.unit.session, prompt, number)
        if version is None:
            raise NotFound(f"the prompt '{prompt.name}' has no version {number}; its newest is {prompt.newest}")
        return version


def replace_version_tags(unit: UnitOfWork, prompt: PromptRecord, version: Version, tags: Sequence[str]) -> tuple[str, ...]:
    """Replace the tags of a version of a prompt that this transaction has locked; the same tags again change nothing.

    Raises:
        InvalidRequest: for tags that cannot be set.
    """
    tags = valid_tags(tags)
    if tags == version.tags:
        return tags
    tag_store.set_version_tags(unit.session, version.id, tags)
    if version.is_newest:
        tag_store.index_tags(unit.session, prompt, tags)
    _record(unit, prompt, version.number, tags)
    return tags


def replace_prompt_tags(
    unit: UnitOfWork, prompt: PromptRecord, tags: Sequence[str], *, with_version: bool = False
) -> PromptRecord:
    """Replace the own tags of a prompt that this transaction has locked; the same tags again change nothing.

    Args:
        unit: the transaction.
        prompt: the prompt.
        tags: its own tags from now on.
        with_version: whether a version is registered next, whose event has the tags that become the prompt's own unchanged.

    Raises:
        InvalidRequest: for tags that cannot be set.
    """
    tags = valid_tags(tags)
    if tags == prompt.own_tags:
        return prompt
    is_recorded = not with_version or tags != prompt.prompt_tags
    newest = version_store.find_version(unit.session, prompt, prompt.newest)
    prompt = tag_store.set_prompt_tags(unit.session, prompt, tags)
    prompt = tag_store.index_tags(unit.session, prompt, newest.tags if newest else ())
    if is_recorded:
        _record(unit, prompt, None, tags)
    return prompt


def _with_tag(tags: Sequence[str], key: str, value: str) -> tuple[str, ...]:
    if "=" in key:
        raise InvalidRequest("the tag cannot be set", [FieldError("key", "is not valid: it has a =")])
    text = tag_text(key, value)
    if key in tag_pairs(tags):
        return tuple(text if tag.partition("=")[0] == key else tag for tag in tags)
    return (*tags, text)


def _without_tag(tags: Sequence[str], key: str) -> tuple[str, ...]:
    return tuple(tag for tag in tags if tag.partition("=")[0] != key)


def _record(unit: UnitOfWork, prompt: PromptRecord, version: int | None, tags: Sequence[str]) -> None:
    """Record changed tags in the audit chain, and as an event: lists and clients show them."""
    detail = {"version": version, "tags": list(tags)}
    audit.record_change(unit, EventKind.TAGS_CHANGED, prompt.name, detail)
    record_event(unit, prompt, EventKind.TAGS_CHANGED, detail)
