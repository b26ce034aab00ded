"""A prompt as it was at a time in the past, computed from the label history and the events."""

from dataclasses import dataclass, replace
from datetime import datetime

from promptuary.core.clock import format_timestamp
from promptuary.core.database import Session
from promptuary.core.errors import NotFound
from promptuary.registry import label_store, version_store
from promptuary.registry.events import event_store
from promptuary.registry.events.event import EventKind
from promptuary.registry.store import PromptRecord


@dataclass(frozen=True)
class PromptAsOf:
    """A prompt with the versions, labels and revision of a time in the past."""

    prompt: PromptRecord
    archived: bool


def prompt_at(session: Session, prompt: PromptRecord, at: datetime) -> PromptAsOf:
    """Return a prompt as it was at a time: its newest version, its labels, its revision, and whether it was archived.

    Raises:
        NotFound: when it had no version yet.
    """
    newest = version_store.newest_at(session, prompt, at)
    if newest is None:
        raise NotFound(f"the prompt '{prompt.name}' had no version at {format_timestamp(at)}")
    targets = label_store.targets_at(session, prompt, at)
    last = event_store.last_event(session, prompt, at)
    archival = event_store.last_event(session, prompt, at, (EventKind.PROMPT_ARCHIVED, EventKind.PROMPT_RESTORED))
    past_prompt = replace(
        prompt,
        newest=newest,
        revision=last.revision if last else 0,
        labels={name: target.version for name, target in targets.items()},
        splits={name: target.split for name, target in targets.items() if target.split},
    )
    return PromptAsOf(past_prompt, archived=archival is not None and archival.kind is EventKind.PROMPT_ARCHIVED)
