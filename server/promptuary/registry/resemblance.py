"""Other prompts like the one being registered: what is told of them, who looks for them, and what sets that in motion.

Prompts of the same content are found here, by digest. Those that say nearly the same are found by their vectors, in a part
above this one, which is handed over where the app is put together.
"""

from dataclasses import dataclass
from typing import Protocol

from promptuary.access.caller import Unit
from promptuary.base import outbox
from promptuary.prompt.content import Content
from promptuary.registry import store
from promptuary.registry.store import Version

TOPIC = "prompts"
SAME_CONTENT = "same_content"
SIMILAR_PROMPT = "similar_prompt"
SIMILAR_UNCHECKED = "similar_unchecked"
MOST = 3
"""At most so many other prompts are named for each reason."""


@dataclass(frozen=True)
class Resemblance:
    """Something that whoever registers a version may want to know; it stops nothing.

    Attributes:
        code: `same_content`, `similar_prompt`, or `similar_unchecked` where not every prompt could be compared.
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


class Neighbours(Protocol):
    """Looks for prompts that say nearly the same."""

    def resembling(self, project: int, name: str, content: Content) -> list[Resemblance]:
        """Give the other prompts near to a content. Raises nothing: what hinders the search is told as a resemblance, too."""
        ...


def announce(unit: Unit, prompt: int) -> None:
    """Say in the transaction of a registering that the prompt's vector is behind."""
    outbox.put(unit.session, TOPIC, {"project": unit.caller.project, "prompt": prompt}, unit.clock())


def same_content(unit: Unit, version: Version) -> list[Resemblance]:
    """Give the other prompts that have a version of the very same content."""
    twins = store.twins(unit.session, unit.caller.project, version.digest, version.prompt, MOST)
    return [
        Resemblance(SAME_CONTENT, f"version {number} of '{name}' has the same content; one prompt may do", name, number)
        for name, number in twins
    ]
