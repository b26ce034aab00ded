"""What the fast path reads from the database, in threads: one response, what has changed, the responses of a whole label.

It has connections of its own, so that no number of writers that wait for a lock keeps a lookup waiting.
"""

from collections.abc import Collection
from dataclasses import dataclass

from promptuary.access import store as access
from promptuary.access.auth.authentication import key_from_header
from promptuary.access.credentials import authenticate
from promptuary.access.role import Scope
from promptuary.access.unit_of_work import Caller, UnitOfWork
from promptuary.api.lookup.key_cache import CachedKey
from promptuary.api.lookup.request import LookupRequest
from promptuary.api.lookup.response_cache import CHANGES_LIMIT, NewEntry, build_cached_response
from promptuary.core.change_feed.revisions import ProjectRevisions
from promptuary.core.clock import Clock
from promptuary.core.database import Database, Session
from promptuary.core.settings import Settings
from promptuary.registry.events.event_store import changed_since
from promptuary.registry.lookup_response import build_response
from promptuary.registry.service import LookupResult, Registry

READERS = 4
BATCH = 100
"""So many responses take about as long as ten lookups, which is how long a lookup waits that is read with them."""


@dataclass(frozen=True, slots=True)
class ConfirmedLookup:
    """A response for the cache, with the caller and the project's revisions in the transaction that read them."""

    caller: Caller
    revisions: ProjectRevisions
    entry: NewEntry


@dataclass(frozen=True, slots=True)
class LabelBatch:
    """The responses of a label for the next prompts, in the order of their names, and for those that lookups wait for.

    `last` is the name of the last of the next prompts; None where no prompt is left.
    """

    entries: list[NewEntry]
    last: str | None


class LookupReader:
    """Reads from the database; each call is one transaction that sees one state, whose revisions it returns."""

    def __init__(self, database: Database, clock: Clock, settings: Settings) -> None:
        """Connect to nothing yet; the connections will be separate from those of `database`."""
        self._database = database.with_own_connections(READERS)
        self._clock = clock
        self._settings = settings

    def read(self, request: LookupRequest, cached_key: CachedKey | None) -> ConfirmedLookup:
        """Read the response to a lookup, on behalf of a cached key while that is still valid, else after authentication.

        Raises:
            NotAuthenticated, Forbidden, NotFound, Conflict, Unavailable: as the route does.
        """
        with self._database.read() as session:
            caller, revisions = self._confirmed_caller(session, request, cached_key)
            caller.require(Scope.PROMPT_LOOKUP)
            result = self._registry(session, caller).lookup(
                request.name, label=request.label, version=request.version, targeting_key=request.targeting_key
            )
            entry = _entry(caller.project, request.selector, revisions, result)
            return ConfirmedLookup(caller, revisions, entry)

    def changes(self, project: int, since: int) -> tuple[ProjectRevisions, dict[str, int] | None]:
        """Return a project's revisions, and the revision of each prompt that changed since; None for too many prompts."""
        with self._database.read() as session:
            revisions = access.read_revisions(session, project)
            if not 0 <= revisions.revision - since <= CHANGES_LIMIT:
                return revisions, None
            return revisions, changed_since(session, project, since)

    def read_label(self, caller: Caller, label: str, after: str | None, names: Collection[str] = ()) -> LabelBatch:
        """Read the responses of a label for the next prompts by name that have it, and for some prompts that are waited for."""
        with self._database.read() as session:
            revisions = access.read_revisions(session, caller.project)
            registry = self._registry(session, caller)
            following = registry.labelled(label, after, BATCH)
            awaited = registry.labelled_names(label, names) if names else []
            entries = [_entry(caller.project, label, revisions, result) for result in (*following, *awaited)]
            return LabelBatch(entries, following[-1].version.prompt if following else None)

    def close(self) -> None:
        """Close the connections."""
        self._database.dispose()

    def _confirmed_caller(
        self, session: Session, request: LookupRequest, cached_key: CachedKey | None
    ) -> tuple[Caller, ProjectRevisions]:
        """Return the caller and their project's revisions; a cached key may have ended while the request waited."""
        if cached_key is not None:
            revisions = access.read_revisions(session, cached_key.caller.project)
            if cached_key.is_valid(revisions.access_revision, self._clock):
                return cached_key.caller, revisions
        caller = authenticate(session, key_from_header(request.authorization.decode("latin-1")), self._clock())
        return caller, access.read_revisions(session, caller.project)

    def _registry(self, session: Session, caller: Caller) -> Registry:
        return Registry(UnitOfWork(session, caller, self._clock, self._settings))


def _entry(project: int, selector: str | int, revisions: ProjectRevisions, result: LookupResult) -> NewEntry:
    response = build_cached_response(build_response(result), revisions.revision, result.version.number)
    return NewEntry(project, result.version.prompt, selector, response, result.version.number, result.split)
