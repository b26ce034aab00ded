"""The encoded answers that a process holds, bounded by their bytes, and how far each project's changes have been taken in.

An answer is held only if nothing that it was made from has changed since: what is read while a change comes in is given to
whoever asked for it, but not kept.
"""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field

from starlette.responses import Response

from promptuary.api.asgi import SECURITY_HEADERS, Headers
from promptuary.api.lookup.request import LookupRequest
from promptuary.prompt.split import Split
from promptuary.registry.lookup_response import MEDIA_TYPE, LookupResponse

CHANGES_LIMIT = 1000
ENTRY_OVERHEAD_BYTES = 1800  # bytes that an answer takes beside its body, as measured with tracemalloc

Selector = str | int | tuple[str | int, int]  # a label, a version's number, or a split label with an arm's version
CacheKey = tuple[int, str, Selector]


@dataclass(frozen=True, slots=True)
class CachedResponse:
    """An answer with its headers, as it is sent, and the project's revision that it was read in."""

    answer: LookupResponse
    revision: int
    found: Headers
    unchanged: Headers


def build_cached_response(answer: LookupResponse, revision: int) -> CachedResponse:
    """Make the headers as FastAPI's way makes them."""
    found = Response(answer.body, 200, answer.headers, MEDIA_TYPE).raw_headers
    unchanged = Response(None, 304, answer.headers).raw_headers
    return CachedResponse(answer, revision, [*found, *SECURITY_HEADERS], [*unchanged, *SECURITY_HEADERS])


@dataclass(slots=True)
class _ProjectChanges:
    """How far a project's changes are taken in, the prompts that changed since `floor`, and where their answers are."""

    revision: int
    floor: int
    changed: dict[str, int] = field(default_factory=dict)
    places: dict[str, set[CacheKey]] = field(default_factory=dict)


class ResponseCache:
    """The answers, the least recently used leaving first. Not for more than one thread: it belongs to the event loop."""

    def __init__(self, limit: int) -> None:
        """Make it empty, for so many bytes."""
        self.limit = limit
        self.bytes = 0
        self._entries: OrderedDict[CacheKey, CachedResponse | Split] = OrderedDict()
        self._projects: dict[int, _ProjectChanges] = {}

    def __len__(self) -> int:
        """Give the number of answers and splits that are held."""
        return len(self._entries)

    def get(self, project: int, question: LookupRequest) -> CachedResponse | None:
        """Give the answer to a question, if it is held."""
        place: CacheKey = (project, question.name, question.wanted)
        entry = self._entries.get(place)
        if isinstance(entry, Split):
            self._entries.move_to_end(place)
            place = (project, question.name, (question.wanted, entry.arm(question.targeting_key).version))
            entry = self._entries.get(place)
        if entry is None or isinstance(entry, Split):
            return None
        self._entries.move_to_end(place)
        return entry

    def keep(
        self, project: int, name: str, wanted: str | int, entry: CachedResponse, split: Split | None, version: int
    ) -> None:
        """Hold an answer, unless its prompt has changed since it was read, or may have.

        Args:
            project: whose prompt it is.
            name: the prompt's.
            wanted: the label or the version's number that it answers.
            entry: the answer.
            split: the label's arms, where it is split.
            version: the number of the version in the answer.
        """
        taken = self._projects.setdefault(project, _ProjectChanges(entry.revision, entry.revision))
        if entry.revision < taken.changed.get(name, taken.floor):
            return
        if split is not None:
            self._put(taken, (project, name, wanted), split)
            self._put(taken, (project, name, (wanted, version)), entry)
        else:
            self._put(taken, (project, name, wanted), entry)
        while self.bytes > self.limit:
            self._drop(next(iter(self._entries)))

    def revision(self, project: int) -> int | None:
        """Tell up to which revision a project's changes are taken in; None where nothing of it was ever held."""
        taken = self._projects.get(project)
        return taken.revision if taken else None

    def take_in(self, project: int, revision: int, changed: Mapping[str, int] | None) -> None:
        """Drop the answers of the prompts that have changed up to a revision; of all, where it is not known which."""
        taken = self._projects.setdefault(project, _ProjectChanges(revision, revision))
        if changed is None or revision < taken.revision:  # too many to name, or a database that was set back
            for place in [place for places in taken.places.values() for place in places]:
                self._drop(place)
            taken.changed, taken.floor = {}, revision
        else:
            for name, at in changed.items():
                for place in list(taken.places.get(name, ())):
                    entry = self._entries[place]
                    if isinstance(entry, Split) or entry.revision < at:
                        self._drop(place)
            taken.changed.update(changed)
            if len(taken.changed) > CHANGES_LIMIT:
                taken.changed, taken.floor = {}, revision
        taken.revision = revision

    def _put(self, taken: _ProjectChanges, place: CacheKey, entry: CachedResponse | Split) -> None:
        if place in self._entries:
            self._drop(place)
        self._entries[place] = entry
        self.bytes += _size(entry)
        taken.places.setdefault(place[1], set()).add(place)

    def _drop(self, place: CacheKey) -> None:
        self.bytes -= _size(self._entries.pop(place))
        places = self._projects[place[0]].places
        places[place[1]].discard(place)
        if not places[place[1]]:
            del places[place[1]]


def _size(entry: CachedResponse | Split) -> int:
    return ENTRY_OVERHEAD_BYTES + (0 if isinstance(entry, Split) else len(entry.answer.body))
