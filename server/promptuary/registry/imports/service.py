"""The import of a prompt from another server, with its numbers, digests, authors, times and label history.

What exists here is compared and left unchanged, so that the same import again changes nothing. A version number with another
content, or a label with another history here, is a conflict, and then nothing of the request is written.
"""

import heapq
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from promptuary.access import audit
from promptuary.access.store import lock_project
from promptuary.access.unit_of_work import UnitOfWork
from promptuary.core.errors import Conflict, FieldError, InvalidRequest
from promptuary.registry import label_store, similarity, store, tag_store, version_store
from promptuary.registry.composition import includable
from promptuary.registry.events import event_store
from promptuary.registry.events.event import EventKind
from promptuary.registry.given_names import claim_given_name
from promptuary.registry.imports.history import (
    EXPORT_HINT,
    Archival,
    ImportedInclude,
    ImportedNaming,
    ImportedVersion,
    ImportResult,
    PromptHistory,
    continuation,
    validate_archivals,
    validate_moves,
    validate_versions,
)
from promptuary.registry.label_store import NewLabelMove
from promptuary.registry.labels import add_move
from promptuary.registry.store import PromptRecord
from promptuary.registry.tags import replace_prompt_tags
from promptuary.registry.version_store import Include, VersionRecord

PROMPT_IMPORTED = "prompt.imported"


@dataclass(frozen=True)
class PromptImporter:
    """The import of prompts, on behalf of a caller."""

    unit: UnitOfWork

    def preview(self, name: str, digests: Mapping[int, str], history: PromptHistory) -> ImportResult:
        """Return what an import would do; nothing is written.

        Args:
            name: the prompt.
            digests: the digests of the versions to import, by number.
            history: the label moves and archivals to import.

        Raises:
            Conflict: naming what exists here and differs.
            InvalidRequest: for a gap in the numbers, or an inconsistent label history.
        """
        prompt = store.find_prompt(self.unit.session, self.unit.caller.project, name)
        numbers = self._new_numbers(prompt, name, digests)
        newest = max([prompt.newest if prompt else 0, *digests])
        moves = self._new_moves(prompt, name, history.moves, newest)
        return ImportResult(newest, numbers, moves, self._new_archivals(prompt, history.archivals))

    def import_prompt_history(
        self,
        name: str,
        versions: Sequence[ImportedVersion],
        history: PromptHistory = PromptHistory(),  # noqa: B008 (frozen)
    ) -> ImportResult:
        """Import versions, moves and archivals; each may also come in a request of its own, in this order.

        Raises:
            Conflict: naming what exists here and differs.
            InvalidRequest: for a gap in the numbers, a wrong digest, or an inconsistent label history.
            InvalidPrompt: for a content that cannot be rendered here.
        """
        unit = self.unit
        lock_project(unit.session, unit.caller.project)
        prompt = store.find_prompt(unit.session, unit.caller.project, name, lock=True)
        numbers = self._new_numbers(prompt, name, {version.number: version.digest for version in versions})
        validate_versions(versions, unit.clock(), jinja2=unit.settings.jinja2)
        newest = max([prompt.newest if prompt else 0, *numbers])
        if newest == 0:
            raise InvalidRequest(f"'{name}' cannot be imported", [FieldError("versions", "is empty, and there are none here")])
        moves = self._new_moves(prompt, name, history.moves, newest)
        archivals = self._new_archivals(prompt, history.archivals)
        new_versions = [version for version in versions if version.number in numbers]
        if prompt is None:
            prompt = store.add_prompt(unit.session, unit.caller.project, name, new_versions[0].created_at)
        unpinned = self._add_in_order(prompt, new_versions, moves, archivals)
        self._add_naming(name, history.naming)
        result = ImportResult(newest, numbers, moves, archivals, tuple(unpinned))
        if result.changes:
            self._record(name, new_versions, result)
        if new_versions:
            similarity.enqueue_vector_update(unit, prompt.id)
        return result

    def _add_in_order(
        self,
        prompt: PromptRecord,
        versions: Sequence[ImportedVersion],
        moves: Sequence[NewLabelMove],
        archivals: Sequence[Archival],
    ) -> list[tuple[int, ImportedInclude]]:
        """Add everything in the order of its time, which becomes the order of the events; return the unknown includes."""
        unpinned: list[tuple[int, ImportedInclude]] = []
        entries: Iterator[ImportedVersion | NewLabelMove | Archival] = heapq.merge(versions, moves, archivals, key=_time)
        for entry in entries:
            match entry:
                case ImportedVersion():
                    unpinned += [(entry.number, include) for include in self._add_version(prompt, entry)]
                    prompt = replace(prompt, tags=tag_store.indexed_tags(prompt, entry.tags))
                case NewLabelMove():
                    add_move(self.unit, prompt, entry, past=True)
                case Archival():
                    self._add_archival(prompt, entry)
        return unpinned

    def _add_naming(self, name: str, naming: ImportedNaming) -> None:
        """Add a prompt's name in another registry's SDK and its own tags, where it has none here."""
        if naming == ImportedNaming():
            return
        prompt = store.find_prompt(self.unit.session, self.unit.caller.project, name, lock=True)
        assert prompt is not None
        if naming.given_name is not None:
            prompt = claim_given_name(self.unit, prompt, naming.given_name)
        if naming.prompt_tags is not None and prompt.own_tags is None:
            replace_prompt_tags(self.unit, prompt, naming.prompt_tags)

    def _new_numbers(self, prompt: PromptRecord | None, name: str, digests: Mapping[int, str]) -> tuple[int, ...]:
        """Return the numbers of the versions that are new; refuse other contents under known numbers, and gaps."""
        newest = prompt.newest if prompt else 0
        local: Mapping[int, str] = {}
        if prompt and digests:
            local = version_store.version_digests(self.unit.session, prompt, min(digests), max(digests))
        different = [number for number in digests if number in local and local[number] != digests[number]]
        if different:
            numbers = ", ".join(map(str, sorted(different)))
            raise Conflict(f"'{name}' has another content under the same number: version {numbers}")
        new = tuple(sorted(number for number in digests if number > newest))
        if new and new != tuple(range(newest + 1, newest + 1 + len(new))):
            gap = next(number for number in range(newest + 1, new[-1]) if number not in digests)
            message = f"version {gap} is missing: numbers have no gap, and the newest here is {newest}; {EXPORT_HINT}"
            raise InvalidRequest(f"'{name}' cannot be imported", [FieldError("versions", message)])
        return new

    def _new_moves(
        self, prompt: PromptRecord | None, name: str, moves: Sequence[NewLabelMove], newest: int
    ) -> tuple[NewLabelMove, ...]:
        """Return the moves that continue the local history; refuse a different history."""
        validate_moves(name, moves, newest, self.unit.clock())
        local = _by_label(label_store.all_moves(self.unit.session, prompt) if prompt else ())
        new: set[int] = set()
        for label, imported in _by_label(moves).items():
            new |= {id(move) for move in continuation(name, label, local.get(label, []), imported)}
        return tuple(move for move in moves if id(move) in new)

    def _new_archivals(self, prompt: PromptRecord | None, archivals: Sequence[Archival]) -> tuple[Archival, ...]:
        """Return the archivals that continue the local ones; none where the local ones differ, which then stay."""
        validate_archivals(archivals, self.unit.clock())
        kinds = (EventKind.PROMPT_ARCHIVED, EventKind.PROMPT_RESTORED)
        events = event_store.events_of(self.unit.session, prompt, None, None, kinds) if prompt else []
        local = [(event.kind is EventKind.PROMPT_ARCHIVED, event.at) for event in reversed(events)]
        imported = [(archival.archived, archival.at) for archival in archivals]
        return tuple(archivals[len(local) :]) if imported[: len(local)] == local else ()

    def _add_version(self, prompt: PromptRecord, imported: ImportedVersion) -> list[ImportedInclude]:
        """Add a version under its number; return its includes that are unknown here."""
        unit = self.unit
        includes, unknown = self._resolve_includes(imported)
        record = VersionRecord(
            imported.content,
            imported.message,
            imported.tags,
            imported.author,
            imported.created_at,
            tuple(includes),
            imported.erased_at,
        )
        version = version_store.add_version(unit.session, prompt, record)
        assert version.number == imported.number
        detail = {"version": version.number, "digest": version.digest}
        event_store.add_event(
            unit.session, unit.caller.project, prompt.id, EventKind.VERSION_CREATED, detail, imported.created_at
        )
        return unknown

    def _resolve_includes(self, imported: ImportedVersion) -> tuple[list[Include], list[ImportedInclude]]:
        """Return the includes that exist here, and those that do not; refuse one whose text is not that in the content."""
        includes, unknown = [], []
        for include in imported.includes:
            prompt = store.find_prompt(self.unit.session, self.unit.caller.project, include.name)
            version = version_store.find_version(self.unit.session, prompt, include.version) if prompt else None
            if version is None or version.digest != include.digest:
                unknown.append(include)
                continue
            if imported.erased_at is None and version.erased_at is not None:  # its text cannot be compared
                unknown.append(include)
                continue
            if imported.erased_at is not None:
                includes.append(Include(version.id, include.reference, include.name, include.version, include.digest))
                continue
            is_text = version.content["type"] == "text"
            partials = includable(version).as_partials(include.reference) if is_text else {"": ""}
            if any(imported.content.content.partials.get(key) != source for key, source in partials.items()):
                message = f"'{include.reference}' is not the text that the content has under it"
                field_errors = [FieldError(f"versions.{imported.number}.includes", message)]
                raise InvalidRequest("the version cannot be imported", field_errors)
            includes.append(Include(version.id, include.reference, include.name, include.version, include.digest))
        return includes, unknown

    def _add_archival(self, prompt: PromptRecord, archival: Archival) -> None:
        unit, kind = self.unit, EventKind.PROMPT_ARCHIVED if archival.archived else EventKind.PROMPT_RESTORED
        store.set_archived(unit.session, prompt, archival.at if archival.archived else None)
        detail = {"reason": archival.reason}
        event_store.add_event(unit.session, unit.caller.project, prompt.id, kind, detail, archival.at)

    def _record(self, name: str, versions: Sequence[ImportedVersion], result: ImportResult) -> None:
        detail: dict[str, Any] = {
            "versions": {str(version.number): version.digest for version in versions},
            "moves": [{"label": move.label, "version": move.version, "by": move.actor} for move in result.moves],
            "archived": result.archivals[-1].archived if result.archivals else None,
        }
        audit.record_change(self.unit, PROMPT_IMPORTED, name, detail)


def _by_label(moves: Sequence[NewLabelMove]) -> dict[str, list[NewLabelMove]]:
    by_label: dict[str, list[NewLabelMove]] = {}
    for move in moves:
        by_label.setdefault(move.label, []).append(move)
    return by_label


def _time(entry: ImportedVersion | NewLabelMove | Archival) -> datetime:
    return entry.created_at if isinstance(entry, ImportedVersion) else entry.at
