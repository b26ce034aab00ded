"""What the lookup's fast path reads from the database, in threads: one answer, what has changed, answers ahead of questions.

It has connections of its own, so no number of writers that wait for a lock can keep a lookup waiting.
"""

from dataclasses import dataclass

from promptuary.access import store as access
from promptuary.access.caller import Caller, Unit
from promptuary.access.gate import sent_key
from promptuary.access.role import Scope
from promptuary.access.service import authenticate
from promptuary.api.answers import CHANGES_LIMIT
from promptuary.api.parts import Parts
from promptuary.api.question import Question
from promptuary.base.changes import Counters
from promptuary.prompt.split import Split
from promptuary.registry.answer import Answer, answer_to
from promptuary.registry.ledger import changed_since
from promptuary.registry.service import Found, Registry

READERS = 4
BATCH = 500


@dataclass(frozen=True, slots=True)
class Read:
    """An answer, and what it takes to hold it."""

    name: str
    answer: Answer
    split: Split | None
    version: int

    @classmethod
    def of(cls, found: Found) -> "Read":
        """Encode what a lookup found."""
        return cls(found.version.prompt, answer_to(found), found.split, found.version.number)


class Reader:
    """Reads; each call is one transaction that sees one state, and tells which by the project's counters."""

    def __init__(self, parts: Parts) -> None:
        """Keep the parts; nothing is connected yet."""
        self._database = parts.database.apart(READERS)
        self._clock = parts.clock
        self._settings = parts.settings

    def read(self, question: Question, caller: Caller | None) -> tuple[Caller, Counters, Read]:
        """Answer a question; authenticates, where the caller is not known.

        Raises:
            NotAuthenticated, Forbidden, NotFound, Conflict, Unavailable: as the route does.
        """
        with self._database.read() as session:
            if caller is None:
                caller = authenticate(session, sent_key(question.authorization.decode("latin-1")), self._clock())
            caller.require(Scope.PROMPT_READ)
            counters = access.counters(session, caller.project)
            found = Registry(Unit(session, caller, self._clock, self._settings)).lookup(
                question.name, label=question.label, version=question.version, targeting_key=question.targeting_key
            )
            return caller, counters, Read.of(found)

    def changed(self, project: int, since: int) -> tuple[Counters, dict[str, int] | None]:
        """Give the project's counters, and the prompts that changed since; None for them where they are too many to name."""
        with self._database.read() as session:
            counters = access.counters(session, project)
            if not 0 <= counters.revision - since <= CHANGES_LIMIT:
                return counters, None
            return counters, changed_since(session, project, since)

    def ahead(self, caller: Caller, label: str, after: str | None) -> tuple[Counters, list[Read]]:
        """Give the answers for a label of the next prompts by name that have it; none after the last."""
        with self._database.read() as session:
            counters = access.counters(session, caller.project)
            unit = Unit(session, caller, self._clock, self._settings)
            return counters, [Read.of(found) for found in Registry(unit).labelled(label, after, BATCH)]

    def close(self) -> None:
        """Close the connections."""
        self._database.dispose()
