"""What a lookup would have found at a moment in the past, from the ledger and the events; nothing is stored for it."""

from dataclasses import dataclass, replace
from datetime import datetime

from promptuary.core.clock import format_timestamp
from promptuary.core.database import Session
from promptuary.core.errors import NotFound
from promptuary.registry import label_store, store
from promptuary.registry.events import EventKind
from promptuary.registry.label_store import LabelTarget
from promptuary.registry.store import Prompt


@dataclass(frozen=True)
class PromptAsOf:
    """A prompt as it was: the same value that the present has, with the numbers of then."""

    prompt: Prompt
    archived: bool


def prompt_at(session: Session, prompt: Prompt, at: datetime) -> PromptAsOf:
    """Give a prompt as it was at a moment: its newest version, its labels, its revision, and whether it was archived.

    Raises:
        NotFound: when it had no version yet.
    """
    newest = store.newest_at(session, prompt, at)
    if newest is None:
        raise NotFound(f"the prompt '{prompt.name}' had no version at {format_timestamp(at)}")
    targets: dict[str, LabelTarget] = label_store.targets_at(session, prompt, at)
    last = label_store.last_event(session, prompt, at)
    turned = label_store.last_event(session, prompt, at, (EventKind.PROMPT_ARCHIVED, EventKind.PROMPT_RESTORED))
    then = replace(
        prompt,
        newest=newest,
        revision=last.revision if last else 0,
        labels={name: target.version for name, target in targets.items()},
        splits={name: target.split for name, target in targets.items() if target.split},
    )
    return PromptAsOf(then, archived=turned is not None and turned.kind is EventKind.PROMPT_ARCHIVED)
