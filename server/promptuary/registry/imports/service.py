"""What another server has of a prompt, taken over: numbers, digests, authors, times and the labels' ledger as they were there.

What is here already is compared and left as it is, so that the same import again changes nothing. A version whose number is
taken by another content, or a label that has gone another way here, is a conflict, and then nothing of the request is written.
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
from promptuary.prompt.digest import canonical_json, content_json
from promptuary.registry import label_store, similarity, store
from promptuary.registry.composition import includable
from promptuary.registry.events import EventKind
from promptuary.registry.imports.history import (
    EXPORT_HINT,
    Archival,
    ImportedInclude,
    ImportedVersion,
    ImportResult,
    check_moves,
    check_versions,
    continuation,
)
from promptuary.registry.label_store import LabelMove
from promptuary.registry.store import Include, Prompt

PROMPT_IMPORTED = "prompt.imported"


@dataclass(frozen=True)
class PromptImporter:
    """Prompts taken over from another server, on behalf of a caller."""

    unit: UnitOfWork

    def preview(
        self, name: str, digests: Mapping[int, str], history: Sequence[LabelMove], archivals: Sequence[Archival]
    ) -> ImportResult:
        """Tell what importing would do; nothing is written.

        Args:
            name: the prompt.
            digests: of the versions to import, by number.
            history: the labels' moves, the oldest first; their ids and revisions count for nothing.
            archivals: every time that the prompt was archived or restored, the oldest first.

        Raises:
            Conflict: naming what is here and different.
            InvalidRequest: for numbers with a gap, or a ledger that does not hold together.
        """
        prompt = store.prompt(self.unit.session, self.unit.caller.project, name)
        new = self._new_numbers(prompt, name, digests)
        newest = max([prompt.newest if prompt else 0, *digests])
        moves = self._new_moves(prompt, name, history, newest)
        return ImportResult(newest, new, moves, self._new_archivals(prompt, archivals))

    def import_prompt_history(
        self,
        name: str,
        versions: Sequence[ImportedVersion],
        history: Sequence[LabelMove] = (),
        archivals: Sequence[Archival] = (),
    ) -> ImportResult:
        """Import versions, then moves, then archivals; each may also come in a request of its own, in that order.

        Raises:
            Conflict: naming what is here and different.
            InvalidRequest: for numbers with a gap, a digest that is not the content's, or a ledger that does not hold together.
            InvalidPrompt: for a content that cannot be rendered here.
        """
        unit = self.unit
        lock_project(unit.session, unit.caller.project)
        prompt = store.prompt(unit.session, unit.caller.project, name, lock=True)
        new = self._new_numbers(prompt, name, {version.number: version.digest for version in versions})
        check_versions(versions, unit.clock(), jinja2=unit.settings.jinja2)
        newest = max([prompt.newest if prompt else 0, *new])
        if newest == 0:
            raise InvalidRequest(f"'{name}' cannot be imported", [FieldError("versions", "has none, and there is none here")])
        moves = self._new_moves(prompt, name, history, newest)
        turns = self._new_archivals(prompt, archivals)
        added = [version for version in versions if version.number in new]
        if prompt is None:
            prompt = store.add_prompt(unit.session, unit.caller.project, name, added[0].created_at)
        missing: list[tuple[int, ImportedInclude]] = []
        happened: Iterator[ImportedVersion | LabelMove | Archival] = heapq.merge(
            added, moves, turns, key=_moment
        )  # as events tell it
        for one in happened:
            if isinstance(one, ImportedVersion):
                missing += [(one.number, pin) for pin in self._add(prompt, one)]
                prompt = replace(prompt, tags=one.tags)
            elif isinstance(one, LabelMove):
                self._move(prompt, one)
            else:
                self._turn(prompt, one)
        imported = ImportResult(newest, new, moves, turns, tuple(missing))
        if imported.changes:
            self._record(name, added, imported)
        if added:
            similarity.enqueue_vector_update(unit, prompt.id)
        return imported

    def _new_numbers(self, prompt: Prompt | None, name: str, digests: Mapping[int, str]) -> tuple[int, ...]:
        newest = prompt.newest if prompt else 0
        here = store.digests(self.unit.session, prompt, min(digests), max(digests)) if prompt and digests else {}
        wrong = [number for number in digests if number in here and here[number] != digests[number]]
        if wrong:
            numbers = ", ".join(map(str, sorted(wrong)))
            raise Conflict(f"'{name}' is there with another content under the same number: version {numbers}")
        new = tuple(sorted(number for number in digests if number > newest))
        if new and new != tuple(range(newest + 1, newest + 1 + len(new))):
            gap = next(number for number in range(newest + 1, new[-1]) if number not in digests)
            said = f"version {gap} is missing: numbers have no gap, and the newest here is {newest}; {EXPORT_HINT}"
            raise InvalidRequest(f"'{name}' cannot be imported", [FieldError("versions", said)])
        return new

    def _new_moves(self, prompt: Prompt | None, name: str, history: Sequence[LabelMove], newest: int) -> tuple[LabelMove, ...]:
        """Give the moves that go on from the ledger that is here; refuse a ledger that has gone another way."""
        check_moves(name, history, newest, self.unit.clock())
        here: dict[str, list[LabelMove]] = {}
        for move in label_store.all_moves(self.unit.session, prompt) if prompt else ():
            here.setdefault(move.label, []).append(move)
        there: dict[str, list[LabelMove]] = {}
        for move in history:
            there.setdefault(move.label, []).append(move)
        new: set[int] = set()
        for label, moves in there.items():
            new |= {id(move) for move in continuation(name, label, here.get(label, []), moves)}
        return tuple(move for move in history if id(move) in new)

    def _new_archivals(self, prompt: Prompt | None, archivals: Sequence[Archival]) -> tuple[Archival, ...]:
        """Give the archivals that go on from those here; none where the prompt has gone another way: then it stays so."""
        now = self.unit.clock()
        field_errors = [
            FieldError(f"archivals.{place}.at", "is still to come; see that both servers' clocks are right")
            for place, turn in enumerate(archivals)
            if turn.at > now
        ]
        states = [turn.archived for turn in archivals]
        if any(state != (place % 2 == 0) for place, state in enumerate(states)):
            field_errors.append(FieldError("archivals", "must be archived and restored by turns, archived first"))
        if field_errors:
            raise InvalidRequest("the prompt cannot be imported", field_errors)
        kinds = (EventKind.PROMPT_ARCHIVED, EventKind.PROMPT_RESTORED)
        events = label_store.events_of(self.unit.session, prompt, None, None, kinds) if prompt else []
        here = [(event.kind is EventKind.PROMPT_ARCHIVED, event.at) for event in reversed(events)]
        there = [(turn.archived, turn.at) for turn in archivals]
        return tuple(archivals[len(here) :]) if there[: len(here)] == here else ()

    def _add(self, prompt: Prompt, version: ImportedVersion) -> list[ImportedInclude]:
        """Add a version under its number; give the pins for which there is nothing here."""
        unit = self.unit
        found, missing = self._pinned(version)
        text = canonical_json(content_json(version.content)).decode()
        made = store.add_version(
            unit.session,
            prompt,
            version.digest,
            text,
            version.message,
            version.tags,
            version.author,
            version.created_at,
            found,
        )
        assert made.number == version.number
        detail = {"version": made.number, "digest": made.digest}
        label_store.add_event(
            unit.session, unit.caller.project, prompt.id, EventKind.VERSION_CREATED, detail, version.created_at
        )
        return missing

    def _pinned(self, version: ImportedVersion) -> tuple[list[Include], list[ImportedInclude]]:
        """Find what was pinned; it is believed only where the text that it gives is the text in the content."""
        found, missing = [], []
        for pin in version.includes:
            prompt = store.prompt(self.unit.session, self.unit.caller.project, pin.name)
            here = store.version(self.unit.session, prompt, pin.version) if prompt else None
            if here is None or here.digest != pin.digest:
                missing.append(pin)
                continue
            said = includable(here).as_partials(pin.reference) if here.content["type"] == "text" else {"": ""}
            if any(version.content.partials.get(key) != source for key, source in said.items()):
                fault = FieldError(
                    f"versions.{version.number}.includes", f"'{pin.reference}' is not what the content has under it"
                )
                raise InvalidRequest("the version cannot be imported", [fault])
            found.append(Include(here.id, pin.reference, pin.name, pin.version, pin.digest))
        return found, missing

    def _move(self, prompt: Prompt, move: LabelMove) -> None:
        unit = self.unit
        split = move.split.as_json() if move.split else None
        detail = {
            "label": move.label,
            "version": None if split else move.version,
            "split": split,
            "previous": move.previous,
            "reason": move.reason,
        }
        revision = label_store.add_event(unit.session, unit.caller.project, prompt.id, EventKind.LABEL_MOVED, detail, move.at)
        label_store.set_label(
            unit.session,
            prompt,
            LabelMove(0, move.label, move.target, move.previous, move.actor, move.reason, revision, move.at),
        )

    def _turn(self, prompt: Prompt, turn: Archival) -> None:
        unit, kind = self.unit, EventKind.PROMPT_ARCHIVED if turn.archived else EventKind.PROMPT_RESTORED
        store.set_archived(unit.session, prompt, turn.at if turn.archived else None)
        label_store.add_event(unit.session, unit.caller.project, prompt.id, kind, {"reason": turn.reason}, turn.at)

    def _record(self, name: str, versions: Sequence[ImportedVersion], imported: ImportResult) -> None:
        digests = {str(version.number): version.digest for version in versions}
        detail: dict[str, Any] = {
            "versions": digests,
            "moves": [{"label": move.label, "version": move.version, "by": move.actor} for move in imported.moves],
            "archived": imported.archivals[-1].archived if imported.archivals else None,
        }
        audit.record_change(self.unit, PROMPT_IMPORTED, name, detail)


def _moment(one: ImportedVersion | LabelMove | Archival) -> datetime:
    return one.created_at if isinstance(one, ImportedVersion) else one.at
