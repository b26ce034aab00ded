"""What a lookup would have found at a moment in the past, from the ledger and the events; nothing is stored for it."""

from dataclasses import dataclass, replace
from datetime import datetime

from promptuary.base.clock import in_utc
from promptuary.base.database import Session
from promptuary.base.errors import NotFound
from promptuary.registry import ledger, store
from promptuary.registry.event import Kind
from promptuary.registry.ledger import Target
from promptuary.registry.store import Prompt


@dataclass(frozen=True)
class Past:
    """A prompt as it was: the same value that the present has, with the numbers of then."""

    prompt: Prompt
    archived: bool


def prompt_at(session: Session, prompt: Prompt, at: datetime) -> Past:
    """Give a prompt as it was at a moment: its newest version, its labels, its revision, and whether it was archived.

    Raises:
        NotFound: when it had no version yet.
    """
    newest = store.newest_at(session, prompt, at)
    if newest is None:
        raise NotFound(f"the prompt '{prompt.name}' had no version at {in_utc(at)}")
    targets: dict[str, Target] = ledger.targets_at(session, prompt, at)
    last = ledger.last_event(session, prompt, at)
    turned = ledger.last_event(session, prompt, at, (Kind.PROMPT_ARCHIVED, Kind.PROMPT_RESTORED))
    then = replace(
        prompt,
        newest=newest,
        revision=last.revision if last else 0,
        labels={name: target.version for name, target in targets.items()},
        splits={name: target.split for name, target in targets.items() if target.split},
    )
    return Past(then, archived=turned is not None and turned.kind is Kind.PROMPT_ARCHIVED)
