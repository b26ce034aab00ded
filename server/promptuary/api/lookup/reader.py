"""What the lookup's fast path reads from the database, in threads: one answer, what has changed, answers ahead of questions.

It has connections of its own, so no number of writers that wait for a lock can keep a lookup waiting.
"""

from dataclasses import dataclass

from promptuary.access import store as access
from promptuary.access.auth.authentication import key_from_header
from promptuary.access.role import Scope
from promptuary.access.service import authenticate
from promptuary.access.unit_of_work import Caller, UnitOfWork
from promptuary.api.lookup.request import LookupRequest
from promptuary.api.lookup.response_cache import CHANGES_LIMIT
from promptuary.api.services import Services
from promptuary.core.change_feed import ProjectRevisions
from promptuary.prompt.split import Split
from promptuary.registry.label_store import changed_since
from promptuary.registry.lookup_response import LookupResponse, build_response
from promptuary.registry.service import LookupResult, Registry

READERS = 4
BATCH = 500


@dataclass(frozen=True, slots=True)
class LoadedLookup:
    """An answer, and what it takes to hold it."""

    name: str
    answer: LookupResponse
    split: Split | None
    version: int

    @classmethod
    def of(cls, found: LookupResult) -> "LoadedLookup":
        """Encode what a lookup found."""
        return cls(found.version.prompt, build_response(found), found.split, found.version.number)


class LookupReader:
    """Reads; each call is one transaction that sees one state, and tells which by the project's counters."""

    def __init__(self, parts: Services) -> None:
        """Keep the parts; nothing is connected yet."""
        self._database = parts.database.apart(READERS)
        self._clock = parts.clock
        self._settings = parts.settings

    def read(self, question: LookupRequest, caller: Caller | None) -> tuple[Caller, ProjectRevisions, LoadedLookup]:
        """Answer a question; authenticates, where the caller is not known.

        Raises:
            NotAuthenticated, Forbidden, NotFound, Conflict, Unavailable: as the route does.
        """
        with self._database.read() as session:
            if caller is None:
                caller = authenticate(session, key_from_header(question.authorization.decode("latin-1")), self._clock())
            caller.require(Scope.PROMPT_READ)
            counters = access.read_revisions(session, caller.project)
            found = Registry(UnitOfWork(session, caller, self._clock, self._settings)).lookup(
                question.name, label=question.label, version=question.version, targeting_key=question.targeting_key
            )
            return caller, counters, LoadedLookup.of(found)

    def changed(self, project: int, since: int) -> tuple[ProjectRevisions, dict[str, int] | None]:
        """Give the project's counters, and the prompts that changed since; None for them where they are too many to name."""
        with self._database.read() as session:
            counters = access.read_revisions(session, project)
            if not 0 <= counters.revision - since <= CHANGES_LIMIT:
                return counters, None
            return counters, changed_since(session, project, since)

    def ahead(self, caller: Caller, label: str, after: str | None) -> tuple[ProjectRevisions, list[LoadedLookup]]:
        """Give the answers for a label of the next prompts by name that have it; none after the last."""
        with self._database.read() as session:
            counters = access.read_revisions(session, caller.project)
            unit = UnitOfWork(session, caller, self._clock, self._settings)
            return counters, [LoadedLookup.of(found) for found in Registry(unit).labelled(label, after, BATCH)]

    def close(self) -> None:
        """Close the connections."""
        self._database.dispose()
