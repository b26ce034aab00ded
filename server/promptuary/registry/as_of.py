"""A prompt as it was at a time in the past, computed from the label history and the events."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from promptuary.core.clock import format_timestamp
from promptuary.core.database import Session
from promptuary.core.errors import NotFound
from promptuary.registry import label_store, tag_store, version_store
from promptuary.registry.events import event_store
from promptuary.registry.events.event import EventKind, PromptEvent
from promptuary.registry.store import PromptRecord
from promptuary.registry.version_store import Version

_TAG_KINDS = (EventKind.TAGS_CHANGED, EventKind.VERSION_CREATED)


@dataclass(frozen=True)
class PromptAsOf:
    """A prompt with the versions, labels, tags and revision of a time in the past.

    `changed_tags` has the tags of the versions whose tags had been changed until then, by number.
    """

    prompt: PromptRecord
    archived: bool
    changed_tags: Mapping[int, tuple[str, ...]]

    def version_as_of(self, session: Session, version: Version) -> Version:
        """Return a version with the tags that it had at the time."""
        return replace(version, tags=_tags_at(session, version.id, version.number, self.changed_tags))


def prompt_at(session: Session, prompt: PromptRecord, at: datetime) -> PromptAsOf:
    """Return a prompt as it was at a time: its newest version, its labels, tags and revision, and whether it was archived.

    Raises:
        NotFound: when it had no version yet.
    """
    newest = version_store.newest_at(session, prompt, at)
    if newest is None:
        raise NotFound(f"the prompt '{prompt.name}' had no version at {format_timestamp(at)}")
    targets = label_store.targets_at(session, prompt, at)
    last = event_store.last_event(session, prompt, at)
    archival = event_store.last_event(session, prompt, at, (EventKind.PROMPT_ARCHIVED, EventKind.PROMPT_RESTORED))
    own_tags, tags = _tag_changes(event_store.events_until(session, prompt, at, _TAG_KINDS))
    newest_tags = _tags_at(session, version_store.version_id(session, prompt, newest), newest, tags)
    past_prompt = replace(
        prompt,
        newest=newest,
        own_tags=own_tags,
        tags=tag_store.indexed_tags(replace(prompt, own_tags=own_tags), newest_tags),
        revision=last.revision if last else 0,
        labels={name: target.version for name, target in targets.items()},
        splits={name: target.split for name, target in targets.items() if target.split},
    )
    archived = archival is not None and archival.kind is EventKind.PROMPT_ARCHIVED
    return PromptAsOf(past_prompt, archived, tags)


def _tag_changes(events: Sequence[PromptEvent]) -> tuple[tuple[str, ...] | None, dict[int, tuple[str, ...]]]:
    """Return a prompt's own tags after some events, None before its first ones, and the changed tags of versions by number."""
    own_tags: tuple[str, ...] | None = None
    tags: dict[int, tuple[str, ...]] = {}
    for event in events:
        if event.kind is EventKind.VERSION_CREATED:
            if "prompt_tags" in event.detail:
                own_tags = tuple(event.detail["prompt_tags"])
        elif event.detail["version"] is None:
            own_tags = tuple(event.detail["tags"])
        else:
            tags[event.detail["version"]] = tuple(event.detail["tags"])
    return own_tags, tags


def _tags_at(session: Session, version: int, number: int, changed: Mapping[int, tuple[str, ...]]) -> tuple[str, ...]:
    return changed[number] if number in changed else tag_store.registered_tags(session, version)
