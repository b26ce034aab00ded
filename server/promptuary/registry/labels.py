"""The rules of labels: where one may go, and how it goes back. Every move is in the ledger, the audit chain and the events."""

from collections.abc import Sequence
from dataclasses import dataclass

from promptuary.access import audit
from promptuary.access.store import lock_project
from promptuary.access.unit_of_work import UnitOfWork
from promptuary.core.errors import Conflict, FieldError, InvalidRequest, NotFound, PreconditionFailed
from promptuary.core.paging import Page, build_page, decode_cursor
from promptuary.prompt.name import DEFAULT_LABEL as DEFAULT_LABEL
from promptuary.prompt.name import LATEST as LATEST
from promptuary.prompt.name import is_name
from promptuary.prompt.split import divide
from promptuary.registry import label_store, store
from promptuary.registry.events import EventKind
from promptuary.registry.label_store import Label, LabelMove, LabelTarget
from promptuary.registry.store import Prompt


@dataclass(frozen=True)
class Labels:
    """A project's labels, on behalf of a caller."""

    unit: UnitOfWork

    def label(self, name: str, label: str) -> Label:
        """Give where a label points.

        Raises:
            NotFound: for an unknown prompt or label.
        """
        found = label_store.label(self.unit.session, require_prompt(self.unit, name), label)
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
        return self.point(prompt, label, LabelTarget(version), reason)

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
        return self.point(prompt, label, LabelTarget(split.arms[0].version, split), reason)

    def roll_back(self, name: str, label: str, reason: str) -> Label:
        """Point a label where it pointed before the last move that changed that; a split comes back with its buckets.

        Raises:
            NotFound: for an unknown prompt or label.
            Conflict: when the label has never pointed anywhere else, or the prompt is archived.
        """
        prompt = self._movable(name, label, None)
        walk = label_store.walk_moves(self.unit.session, prompt, label)
        now = next(walk, None)
        if now is None:
            raise NotFound(f"the prompt '{name}' has no label '{label}'")
        before = next((move for move in walk if move.target != now.target), None)
        if before is None:
            raise Conflict(f"the label '{label}' of '{name}' has never pointed anywhere else")
        return self.point(prompt, label, before.target, reason)

    def history(self, name: str, label: str, limit: int, cursor: str | None) -> Page[LabelMove]:
        """List a label's moves, the newest first."""
        rows = label_store.moves(
            self.unit.session, require_prompt(self.unit, name), label, decode_cursor(cursor, int), limit + 1
        )
        return build_page(rows, limit, lambda move: move.id)

    def point(self, prompt: Prompt, label: str, target: LabelTarget, reason: str) -> Label:
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
        audit.record_change(unit, EventKind.LABEL_MOVED, prompt.name, detail)
        revision = label_store.add_event(unit.session, unit.caller.project, prompt.id, EventKind.LABEL_MOVED, detail, now)
        move = LabelMove(0, label, target, prompt.labels.get(label), unit.caller.actor, reason, revision, now)
        return label_store.set_label(unit.session, prompt, move)

    def _movable(self, name: str, label: str, expected: int | None) -> Prompt:
        """Hold the prompt, and check that the label may move and has not since it was read."""
        require_settable((label,))
        lock_project(self.unit.session, self.unit.caller.project)
        prompt = require_prompt(self.unit, name, lock=True)
        require_not_archived(prompt)
        if expected is not None:
            now = label_store.label(self.unit.session, prompt, label, lock=True)
            if now is None or now.revision != expected:
                raise PreconditionFailed(f"the label '{label}' has moved since it was read; read it again")
        return prompt

    def _known(self, prompt: Prompt, numbers: Sequence[int]) -> None:
        for number in numbers:
            if not 1 <= number <= prompt.newest:
                raise NotFound(f"the prompt '{prompt.name}' has no version {number}; its newest is {prompt.newest}")


def require_prompt(unit: UnitOfWork, name: str, *, lock: bool = False) -> Prompt:
    """Find a prompt of the caller's project.

    Raises:
        NotFound: when there is none.
    """
    prompt = store.prompt(unit.session, unit.caller.project, name, lock=lock)
    if prompt is None:
        raise NotFound(f"there is no prompt '{name}' in the project '{unit.caller.project_name}'")
    return prompt


def require_not_archived(prompt: Prompt) -> None:
    """Refuse to change a prompt that is archived.

    Raises:
        Conflict: with the remedy.
    """
    if prompt.archived_at is not None:
        raise Conflict(f"the prompt '{prompt.name}' is archived; restore it first")


def require_settable(labels: Sequence[str]) -> None:
    """Refuse labels that nobody can set.

    Raises:
        InvalidRequest: naming each.
    """
    field_errors = [
        FieldError(f"labels.{label}", "is given by the registry itself, to the newest version")
        for label in labels
        if label == LATEST
    ]
    field_errors += [FieldError("labels", f"'{label}' is no name: use a-z 0-9 _ . -") for label in labels if not is_name(label)]
    if field_errors:
        raise InvalidRequest("the label cannot be set", field_errors)
