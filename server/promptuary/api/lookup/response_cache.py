"""The encoded responses of a process, limited by their bytes, and up to which revision each project's changes are applied.

A response stays only if nothing that it was made from has changed since. A response that was read while a change came in goes
to the client that requested it, but is not stored.
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
ENTRY_OVERHEAD_BYTES = 1800  # what an entry takes beside its body, as measured with tracemalloc

Selector = str | int | tuple[str | int, int]  # a label, a version's number, or a split label with an arm's version
CacheKey = tuple[int, str, Selector]


@dataclass(frozen=True, slots=True)
class CachedResponse:
    """A response with its headers as they are sent, the project's revision in the transaction that read it, and its version."""

    response: LookupResponse
    revision: int
    headers: Headers
    not_modified_headers: Headers
    version: int = 0


def build_cached_response(response: LookupResponse, revision: int, version: int = 0) -> CachedResponse:
    """Build the headers, the same ones and in the same order as FastAPI sends them."""
    headers = Response(response.body, 200, response.headers, MEDIA_TYPE).raw_headers
    not_modified_headers = Response(None, 304, response.headers).raw_headers
    return CachedResponse(
        response, revision, [*headers, *SECURITY_HEADERS], [*not_modified_headers, *SECURITY_HEADERS], version
    )


@dataclass(frozen=True, slots=True)
class NewEntry:
    """A response to store, what it answers, and the split that selected its version, where the label is split."""

    project: int
    name: str
    selector: str | int
    response: CachedResponse
    version: int
    split: Split | None = None


@dataclass(slots=True)
class _AppliedChanges:
    """What is known of a project's changes.

    Attributes:
        revision: up to which changes are applied.
        complete_since: the revision since which `changed` names every changed prompt; what changed before is not known.
        changed: the revision of the last change of each prompt that changed since then.
        keys_by_prompt: the entries of each prompt.
    """

    revision: int
    complete_since: int
    changed: dict[str, int] = field(default_factory=dict)
    keys_by_prompt: dict[str, set[CacheKey]] = field(default_factory=dict)


class ResponseCache:
    """The responses; the least recently used leaves first. It belongs to one event loop, so it needs no lock."""

    def __init__(self, limit: int) -> None:
        """Create an empty cache for at most `limit` bytes."""
        self.limit = limit
        self.bytes = 0
        self._entries: OrderedDict[CacheKey, CachedResponse | Split] = OrderedDict()
        self._projects: dict[int, _AppliedChanges] = {}

    def __len__(self) -> int:
        """Return the number of responses and splits."""
        return len(self._entries)

    def get(self, project: int, request: LookupRequest) -> CachedResponse | None:
        """Return the response to a lookup, if it is stored."""
        key: CacheKey = (project, request.name, request.selector)
        entry = self._entries.get(key)
        if isinstance(entry, Split):
            self._entries.move_to_end(key)
            key = (project, request.name, (request.selector, entry.arm(request.targeting_key).version))
            entry = self._entries.get(key)
        if entry is None or isinstance(entry, Split):
            return None
        self._entries.move_to_end(key)
        return entry

    def put(self, entry: NewEntry) -> None:
        """Store a response, unless its prompt has changed since it was read, or may have."""
        revision = entry.response.revision
        applied = self._projects.setdefault(entry.project, _AppliedChanges(revision, revision))
        if revision < applied.changed.get(entry.name, applied.complete_since):
            return
        if entry.split is not None:
            self._put(applied, (entry.project, entry.name, entry.selector), entry.split)
            self._put(applied, (entry.project, entry.name, (entry.selector, entry.version)), entry.response)
        else:
            self._put(applied, (entry.project, entry.name, entry.selector), entry.response)
        while self.bytes > self.limit:
            self._drop(next(iter(self._entries)))

    def applied_revision(self, project: int) -> int | None:
        """Return up to which revision a project's changes are applied; None where nothing of it was ever stored."""
        applied = self._projects.get(project)
        return applied.revision if applied else None

    def apply_changes(self, project: int, revision: int, changed: Mapping[str, int] | None) -> None:
        """Drop the responses that changes up to a revision concern.

        Args:
            project: whose changes.
            revision: up to which the changes are known.
            changed: the revision of each changed prompt; None when they are too many, which drops the whole project.
        """
        applied = self._projects.setdefault(project, _AppliedChanges(revision, revision))
        if changed is None or revision < applied.revision:  # too many to name, or a database that was restored
            for key in [key for keys in applied.keys_by_prompt.values() for key in keys]:
                self._drop(key)
            applied.changed, applied.complete_since = {}, revision
        else:
            for name, changed_at in changed.items():
                self._drop_before(applied, name, changed_at)
            applied.changed.update(changed)
            if len(applied.changed) > CHANGES_LIMIT:
                applied.changed, applied.complete_since = {}, revision
        applied.revision = revision

    def _drop_before(self, applied: _AppliedChanges, name: str, revision: int) -> None:
        for key in list(applied.keys_by_prompt.get(name, ())):
            entry = self._entries[key]
            if isinstance(entry, Split) or entry.revision < revision:
                self._drop(key)

    def _put(self, applied: _AppliedChanges, key: CacheKey, entry: CachedResponse | Split) -> None:
        if key in self._entries:
            self._drop(key)
        self._entries[key] = entry
        self.bytes += _size(entry)
        applied.keys_by_prompt.setdefault(key[1], set()).add(key)

    def _drop(self, key: CacheKey) -> None:
        self.bytes -= _size(self._entries.pop(key))
        keys_by_prompt = self._projects[key[0]].keys_by_prompt
        keys_by_prompt[key[1]].discard(key)
        if not keys_by_prompt[key[1]]:
            del keys_by_prompt[key[1]]


def _size(entry: CachedResponse | Split) -> int:
    return ENTRY_OVERHEAD_BYTES + (0 if isinstance(entry, Split) else len(entry.response.body))
