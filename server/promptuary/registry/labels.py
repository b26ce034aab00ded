"""The rules of labels: where one may go, and how it goes back. Every move is in the ledger, the audit chain and the events."""

from collections.abc import Sequence
from dataclasses import dataclass

from promptuary.access import audit
from promptuary.access.caller import Unit
from promptuary.access.store import hold
from promptuary.base.errors import Conflict, Fault, InvalidRequest, NotFound, PreconditionFailed
from promptuary.base.paging import Page, decode, page
from promptuary.prompt.name import DEFAULT_LABEL as DEFAULT_LABEL
from promptuary.prompt.name import LATEST as LATEST
from promptuary.prompt.name import is_name
from promptuary.prompt.split import divide
from promptuary.registry import ledger, store
from promptuary.registry.event import Kind
from promptuary.registry.ledger import Label, Move, Target
from promptuary.registry.store import Prompt


@dataclass(frozen=True)
class Labels:
    """A project's labels, on behalf of a caller."""

    unit: Unit

    def label(self, name: str, label: str) -> Label:
        """Give where a label points.

        Raises:
            NotFound: for an unknown prompt or label.
        """
        found = ledger.label(self.unit.session, existing(self.unit, name), label)
        if found is None:
            raise NotFound(f"the prompt '{name}' has no label '{label}'")
        return found

    def move(self, name: str, label: str, version: int, reason: str, expected: int | None = None) -> Label:
        """Point a label at a version. A move to where it points already is a move too, and ends other callers' `expected`.

        Args:
            name: the prompt.
            label: any name but `latest`.
            version: the number it is to point at.
            reason: why; kept in the ledger.
            expected: the revision that the caller saw the label in; None for not to compare.

        Raises:
            InvalidRequest: for a label that cannot be set.
            NotFound: for an unknown prompt or version.
            Conflict: for an archived prompt.
            PreconditionFailed: when the label has moved since.
        """
        prompt = self._movable(name, label, expected)
        self._known(prompt, [version])
        return self.point(prompt, label, Target(version), reason)

    def split(
        self, name: str, label: str, weights: Sequence[tuple[int, float]], reason: str, expected: int | None = None
    ) -> Label:
        """Point a label at several versions, each with a weight; as few keys change their version as can be.

        Args:
            name: the prompt.
            label: any name but `latest`.
            weights: versions with their weights, which count relative to their sum; the first serves whoever gives no key.
            reason: why; kept in the ledger.
            expected: the revision that the caller saw the label in; None for not to compare.

        Raises:
            InvalidSplit: for weights that make no split.
            InvalidRequest, NotFound, Conflict, PreconditionFailed: as `move`.
        """
        prompt = self._movable(name, label, expected)
        self._known(prompt, [version for version, _ in weights])
        split = divide(f"{name}/{label}", weights, prompt.splits.get(label) or prompt.labels.get(label))
        return self.point(prompt, label, Target(split.arms[0].version, split), reason)

    def roll_back(self, name: str, label: str, reason: str) -> Label:
        """Point a label where it pointed before the last move that changed that; a split comes back with its buckets.

        Raises:
            NotFound: for an unknown prompt or label.
            Conflict: when the label has never pointed anywhere else, or the prompt is archived.
        """
        prompt = self._movable(name, label, None)
        walk = ledger.walk_moves(self.unit.session, prompt, label)
        now = next(walk, None)
        if now is None:
            raise NotFound(f"the prompt '{name}' has no label '{label}'")
        before = next((move for move in walk if move.target != now.target), None)
        if before is None:
            raise Conflict(f"the label '{label}' of '{name}' has never pointed anywhere else")
        return self.point(prompt, label, before.target, reason)

    def history(self, name: str, label: str, limit: int, cursor: str | None) -> Page[Move]:
        """List a label's moves, the newest first."""
        rows = ledger.moves(self.unit.session, existing(self.unit, name), label, decode(cursor, int), limit + 1)
        return page(rows, limit, lambda move: move.id)

    def point(self, prompt: Prompt, label: str, target: Target, reason: str) -> Label:
        """Move a label of a prompt that this transaction holds; what was checked before is not checked again."""
        unit, now = self.unit, self.unit.clock()
        split = target.split.as_json() if target.split else None
        detail = {
            "label": label,
            "version": None if split else target.version,
            "split": split,
            "previous": prompt.labels.get(label),
            "reason": reason,
        }
        audit.record(unit, Kind.LABEL_MOVED, prompt.name, detail)
        revision = ledger.add_event(unit.session, unit.caller.project, prompt.id, Kind.LABEL_MOVED, detail, now)
        move = Move(0, label, target, prompt.labels.get(label), unit.caller.actor, reason, revision, now)
        return ledger.set_label(unit.session, prompt, move)

    def _movable(self, name: str, label: str, expected: int | None) -> Prompt:
        """Hold the prompt, and check that the label may move and has not since it was read."""
        settable((label,))
        hold(self.unit.session, self.unit.caller.project)
        prompt = existing(self.unit, name, lock=True)
        refuse_archived(prompt)
        if expected is not None:
            now = ledger.label(self.unit.session, prompt, label, lock=True)
            if now is None or now.revision != expected:
                raise PreconditionFailed(f"the label '{label}' has moved since it was read; read it again")
        return prompt

    def _known(self, prompt: Prompt, numbers: Sequence[int]) -> None:
        for number in numbers:
            if not 1 <= number <= prompt.newest:
                raise NotFound(f"the prompt '{prompt.name}' has no version {number}; its newest is {prompt.newest}")


def existing(unit: Unit, name: str, *, lock: bool = False) -> Prompt:
    """Find a prompt of the caller's project.

    Raises:
        NotFound: when there is none.
    """
    prompt = store.prompt(unit.session, unit.caller.project, name, lock=lock)
    if prompt is None:
        raise NotFound(f"there is no prompt '{name}' in the project '{unit.caller.project_name}'")
    return prompt


def refuse_archived(prompt: Prompt) -> None:
    """Refuse to change a prompt that is archived.

    Raises:
        Conflict: with the remedy.
    """
    if prompt.archived_at is not None:
        raise Conflict(f"the prompt '{prompt.name}' is archived; restore it first")


def settable(labels: Sequence[str]) -> None:
    """Refuse labels that nobody can set.

    Raises:
        InvalidRequest: naming each.
    """
    faults = [
        Fault(f"labels.{label}", "is given by the registry itself, to the newest version")
        for label in labels
        if label == LATEST
    ]
    faults += [Fault("labels", f"'{label}' is no name: use a-z 0-9 _ . -") for label in labels if not is_name(label)]
    if faults:
        raise InvalidRequest("the label cannot be set", faults)
