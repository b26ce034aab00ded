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
from promptuary.access.caller import Unit
from promptuary.access.store import hold
from promptuary.base.errors import Conflict, Fault, InvalidRequest
from promptuary.prompt.digest import canonical, content_json
from promptuary.registry import ledger, resemblance, store
from promptuary.registry.composition import included
from promptuary.registry.event import Kind
from promptuary.registry.imported import (
    HINT,
    Archival,
    Imported,
    PastVersion,
    Pin,
    check_moves,
    check_versions,
    continuation,
)
from promptuary.registry.ledger import Move
from promptuary.registry.store import Include, Prompt

IMPORTED = "prompt.imported"


@dataclass(frozen=True)
class Importing:
    """Prompts taken over from another server, on behalf of a caller."""

    unit: Unit

    def preview(
        self, name: str, digests: Mapping[int, str], history: Sequence[Move], archivals: Sequence[Archival]
    ) -> Imported:
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
        return Imported(newest, new, moves, self._new_archivals(prompt, archivals))

    def take_over(
        self,
        name: str,
        versions: Sequence[PastVersion],
        history: Sequence[Move] = (),
        archivals: Sequence[Archival] = (),
    ) -> Imported:
        """Import versions, then moves, then archivals; each may also come in a request of its own, in that order.

        Raises:
            Conflict: naming what is here and different.
            InvalidRequest: for numbers with a gap, a digest that is not the content's, or a ledger that does not hold together.
            InvalidPrompt: for a content that cannot be rendered here.
        """
        unit = self.unit
        hold(unit.session, unit.caller.project)
        prompt = store.prompt(unit.session, unit.caller.project, name, lock=True)
        new = self._new_numbers(prompt, name, {version.number: version.digest for version in versions})
        check_versions(versions, unit.clock(), jinja2=unit.settings.jinja2)
        newest = max([prompt.newest if prompt else 0, *new])
        if newest == 0:
            raise InvalidRequest(f"'{name}' cannot be imported", [Fault("versions", "has none, and there is none here")])
        moves = self._new_moves(prompt, name, history, newest)
        turns = self._new_archivals(prompt, archivals)
        added = [version for version in versions if version.number in new]
        if prompt is None:
            prompt = store.add_prompt(unit.session, unit.caller.project, name, added[0].created_at)
        missing: list[tuple[int, Pin]] = []
        happened: Iterator[PastVersion | Move | Archival] = heapq.merge(added, moves, turns, key=_moment)  # as events tell it
        for one in happened:
            if isinstance(one, PastVersion):
                missing += [(one.number, pin) for pin in self._add(prompt, one)]
                prompt = replace(prompt, tags=one.tags)
            elif isinstance(one, Move):
                self._move(prompt, one)
            else:
                self._turn(prompt, one)
        imported = Imported(newest, new, moves, turns, tuple(missing))
        if imported.changes:
            self._record(name, added, imported)
        if added:
            resemblance.announce(unit, prompt.id)
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
            said = f"version {gap} is missing: numbers have no gap, and the newest here is {newest}; {HINT}"
            raise InvalidRequest(f"'{name}' cannot be imported", [Fault("versions", said)])
        return new

    def _new_moves(self, prompt: Prompt | None, name: str, history: Sequence[Move], newest: int) -> tuple[Move, ...]:
        """Give the moves that go on from the ledger that is here; refuse a ledger that has gone another way."""
        check_moves(name, history, newest, self.unit.clock())
        here: dict[str, list[Move]] = {}
        for move in ledger.all_moves(self.unit.session, prompt) if prompt else ():
            here.setdefault(move.label, []).append(move)
        there: dict[str, list[Move]] = {}
        for move in history:
            there.setdefault(move.label, []).append(move)
        new: set[int] = set()
        for label, moves in there.items():
            new |= {id(move) for move in continuation(name, label, here.get(label, []), moves)}
        return tuple(move for move in history if id(move) in new)

    def _new_archivals(self, prompt: Prompt | None, archivals: Sequence[Archival]) -> tuple[Archival, ...]:
        """Give the archivals that go on from those here; none where the prompt has gone another way: then it stays so."""
        now = self.unit.clock()
        faults = [
            Fault(f"archivals.{place}.at", "is still to come; see that both servers' clocks are right")
            for place, turn in enumerate(archivals)
            if turn.at > now
        ]
        states = [turn.archived for turn in archivals]
        if any(state != (place % 2 == 0) for place, state in enumerate(states)):
            faults.append(Fault("archivals", "must be archived and restored by turns, archived first"))
        if faults:
            raise InvalidRequest("the prompt cannot be imported", faults)
        kinds = (Kind.PROMPT_ARCHIVED, Kind.PROMPT_RESTORED)
        events = ledger.events_of(self.unit.session, prompt, None, None, kinds) if prompt else []
        here = [(event.kind is Kind.PROMPT_ARCHIVED, event.at) for event in reversed(events)]
        there = [(turn.archived, turn.at) for turn in archivals]
        return tuple(archivals[len(here) :]) if there[: len(here)] == here else ()

    def _add(self, prompt: Prompt, version: PastVersion) -> list[Pin]:
        """Add a version under its number; give the pins for which there is nothing here."""
        unit = self.unit
        found, missing = self._pinned(version)
        text = canonical(content_json(version.content)).decode()
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
        ledger.add_event(unit.session, unit.caller.project, prompt.id, Kind.VERSION_CREATED, detail, version.created_at)
        return missing

    def _pinned(self, version: PastVersion) -> tuple[list[Include], list[Pin]]:
        """Find what was pinned; it is believed only where the text that it gives is the text in the content."""
        found, missing = [], []
        for pin in version.includes:
            prompt = store.prompt(self.unit.session, self.unit.caller.project, pin.name)
            here = store.version(self.unit.session, prompt, pin.version) if prompt else None
            if here is None or here.digest != pin.digest:
                missing.append(pin)
                continue
            said = included(here).flattened(pin.reference) if here.content["type"] == "text" else {"": ""}
            if any(version.content.partials.get(key) != source for key, source in said.items()):
                fault = Fault(f"versions.{version.number}.includes", f"'{pin.reference}' is not what the content has under it")
                raise InvalidRequest("the version cannot be imported", [fault])
            found.append(Include(here.id, pin.reference, pin.name, pin.version, pin.digest))
        return found, missing

    def _move(self, prompt: Prompt, move: Move) -> None:
        unit = self.unit
        split = move.split.as_json() if move.split else None
        detail = {
            "label": move.label,
            "version": None if split else move.version,
            "split": split,
            "previous": move.previous,
            "reason": move.reason,
        }
        revision = ledger.add_event(unit.session, unit.caller.project, prompt.id, Kind.LABEL_MOVED, detail, move.at)
        ledger.set_label(
            unit.session,
            prompt,
            Move(0, move.label, move.target, move.previous, move.actor, move.reason, revision, move.at),
        )

    def _turn(self, prompt: Prompt, turn: Archival) -> None:
        unit, kind = self.unit, Kind.PROMPT_ARCHIVED if turn.archived else Kind.PROMPT_RESTORED
        store.set_archived(unit.session, prompt, turn.at if turn.archived else None)
        ledger.add_event(unit.session, unit.caller.project, prompt.id, kind, {"reason": turn.reason}, turn.at)

    def _record(self, name: str, versions: Sequence[PastVersion], imported: Imported) -> None:
        digests = {str(version.number): version.digest for version in versions}
        detail: dict[str, Any] = {
            "versions": digests,
            "moves": [{"label": move.label, "version": move.version, "by": move.actor} for move in imported.moves],
            "archived": imported.archivals[-1].archived if imported.archivals else None,
        }
        audit.record(self.unit, IMPORTED, name, detail)


def _moment(one: PastVersion | Move | Archival) -> datetime:
    return one.created_at if isinstance(one, PastVersion) else one.at
