"""Warnings about other prompts like a registered one.

Prompts of the same content are found here, by digest. Prompts of nearly the same text are found by a `SimilarityChecker`,
which a folder above this one implements and the composition root passes in.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from promptuary.access.unit_of_work import UnitOfWork
from promptuary.core import outbox
from promptuary.prompt.content import Content
from promptuary.registry import version_store
from promptuary.registry.version_store import Version

PROMPTS_TOPIC = "prompts"
SAME_CONTENT = "same_content"
SIMILAR_PROMPT = "similar_prompt"
SIMILAR_UNCHECKED = "similar_unchecked"
MAX_MATCHES = 3
"""The maximum number of other prompts that are named for each reason."""


@dataclass(frozen=True)
class RegistrationWarning:
    """A hint for the author of a registered version; it prevents nothing.

    Attributes:
        code: `same_content`, `similar_prompt`, or `similar_unchecked` where not every prompt could be compared.
        detail: a sentence with the reason and the remedy.
        name: the other prompt.
        version: the version of it that was compared.
        score: the cosine similarity of the two texts; None where none was computed.
    """

    code: str
    detail: str
    name: str | None = None
    version: int | None = None
    score: float | None = None


class SimilarityChecker(Protocol):
    """Finds prompts of nearly the same text."""

    def check_similarity(self, project: int, name: str, content: Content) -> list[RegistrationWarning]:
        """Return a warning for each other prompt similar to a content; raise nothing: a failed check is a warning, too."""
        ...


def enqueue_vector_update(unit: UnitOfWork, prompt: int) -> None:
    """Enqueue, in the transaction of a registration, the update of the prompt's vector."""
    outbox.enqueue(unit.session, PROMPTS_TOPIC, {"project": unit.caller.project, "prompt": prompt}, unit.clock())


def same_content_warnings(unit: UnitOfWork, version: Version) -> list[RegistrationWarning]:
    """Return a warning for each other prompt that has a version of exactly the same content."""
    prompts = version_store.prompts_with_digest(unit.session, unit.caller.project, version.digest, version.prompt, MAX_MATCHES)
    return [
        RegistrationWarning(SAME_CONTENT, f"version {number} of '{name}' has the same content; one prompt may do", name, number)
        for name, number in prompts
    ]


def merge_warnings(
    same_content: Sequence[RegistrationWarning], similar: Sequence[RegistrationWarning]
) -> list[RegistrationWarning]:
    """Return the warnings of both kinds; a prompt of the same content is not named a second time as similar."""
    names = {warning.name for warning in same_content}
    return [*same_content, *(warning for warning in similar if warning.name is None or warning.name not in names)]
