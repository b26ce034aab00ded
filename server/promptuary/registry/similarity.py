"""Other prompts like the one being registered: what is told of them, who looks for them, and what sets that in motion.

Prompts of the same content are found here, by digest. Those that say nearly the same are found by their vectors, in a part
above this one, which is handed over where the app is put together.
"""

from dataclasses import dataclass
from typing import Protocol

from promptuary.access.unit_of_work import UnitOfWork
from promptuary.core import outbox
from promptuary.prompt.content import Content
from promptuary.registry import store
from promptuary.registry.store import Version

PROMPTS_TOPIC = "prompts"
SAME_CONTENT = "same_content"
SIMILAR_PROMPT = "similar_prompt"
SIMILAR_UNCHECKED = "similar_unchecked"
MAX_MATCHES = 3
"""At most so many other prompts are named for each reason."""


@dataclass(frozen=True)
class RegistrationWarning:
    """Something that whoever registers a version may want to know; it stops nothing.

    Attributes:
        code: `same_content_warnings`, `similar_prompt`, or `similar_unchecked` where not every prompt could be compared.
        detail: a sentence that says so, and what to do.
        name: the other prompt.
        version: the version of it that was compared.
        score: how near their texts are: the cosine; None where nothing was measured.
    """

    code: str
    detail: str
    name: str | None = None
    version: int | None = None
    score: float | None = None


class SimilarityChecker(Protocol):
    """Looks for prompts that say nearly the same."""

    def check_similarity(self, project: int, name: str, content: Content) -> list[RegistrationWarning]:
        """Give the other prompts near to a content. Raises nothing: what hinders the search is told as a resemblance, too."""
        ...


def enqueue_vector_update(unit: UnitOfWork, prompt: int) -> None:
    """Say in the transaction of a registering that the prompt's vector is behind."""
    outbox.enqueue(unit.session, PROMPTS_TOPIC, {"project": unit.caller.project, "prompt": prompt}, unit.clock())


def same_content_warnings(unit: UnitOfWork, version: Version) -> list[RegistrationWarning]:
    """Give the other prompts that have a version of the very same content."""
    twins = store.prompts_with_digest(unit.session, unit.caller.project, version.digest, version.prompt, MAX_MATCHES)
    return [
        RegistrationWarning(SAME_CONTENT, f"version {number} of '{name}' has the same content; one prompt may do", name, number)
        for name, number in twins
    ]
