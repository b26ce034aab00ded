"""Where a label's move is decided: the rules of where a label may point, and how it moves.

Every move is added to the label's history, to the audit chain and to the events.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from promptuary.access import audit
from promptuary.access.store import lock_project
from promptuary.access.unit_of_work import UnitOfWork
from promptuary.core.errors import Conflict, FieldError, InvalidRequest, NotFound, PreconditionFailed
from promptuary.core.paging import Page, build_page, decode_cursor
from promptuary.prompt.name import LATEST, is_name
from promptuary.prompt.split import divide
from promptuary.registry import label_store, store
from promptuary.registry.events import event_store
from promptuary.registry.events.event import EventKind
from promptuary.registry.label_store import Label, LabelMove, LabelTarget, NewLabelMove
from promptuary.registry.store import PromptRecord


@dataclass(frozen=True)
class Labels:
    """A project's labels, on behalf of a caller."""

    unit: UnitOfWork

    def label(self, name: str, label: str) -> Label:
        """Return a label of a prompt.

        Raises:
            NotFound: for an unknown prompt or label.
        """
        found_label = label_store.find_label(self.unit.session, require_prompt(self.unit, name), label)
        if found_label is None:
            raise NotFound(f"the prompt '{name}' has no label '{label}'")
        return found_label

    def move(self, name: str, label: str, version: int, reason: str, expected: int | None = None) -> Label:
        """Move a label to a version.

        A move to the same version counts as a move, too: it changes the revision that other callers `expect`.

        Args:
            name: the prompt.
            label: any name but `latest`.
            version: the number of the version.
            reason: why; stored in the history.
            expected: the revision of the label that the caller has read; None moves it in any case.

        Raises:
            InvalidRequest: for a label that cannot be set.
            NotFound: for an unknown prompt or version.
            Conflict: for an archived prompt.
            PreconditionFailed: when the label has another revision.
        """
        prompt = self._lock_movable(name, label, expected)
        _require_versions(prompt, [version])
        return self.point(prompt, label, LabelTarget(version), reason)

    def split(
        self, name: str, label: str, weights: Sequence[tuple[int, float]], reason: str, expected: int | None = None
    ) -> Label:
        """Move a label to several versions with weights; as few targeting keys as possible change their version.

        Args:
            name: the prompt.
            label: any name but `latest`.
            weights: versions with weights relative to their sum; the first version serves a lookup without a targeting key.
            reason: why; stored in the history.
            expected: the revision of the label that the caller has read; None moves it in any case.

        Raises:
            InvalidSplit: for weights that make no split.
            InvalidRequest, NotFound, Conflict, PreconditionFailed: as `move`.
        """
        prompt = self._lock_movable(name, label, expected)
        _require_versions(prompt, [version for version, _ in weights])
        split = divide(f"{name}/{label}", weights, prompt.splits.get(label) or prompt.labels.get(label))
        return self.point(prompt, label, LabelTarget(split.arms[0].version, split), reason)

    def roll_back(self, name: str, label: str, reason: str) -> Label:
        """Move a label back to its last different target; a split is restored with its buckets.

        Raises:
            NotFound: for an unknown prompt or label.
            Conflict: when the label has had no other target, or the prompt is archived.
        """
        prompt = self._lock_movable(name, label, None)
        history = label_store.walk_moves(self.unit.session, prompt, label)
        current = next(history, None)
        if current is None:
            raise NotFound(f"the prompt '{name}' has no label '{label}'")
        previous = next((move for move in history if move.target != current.target), None)
        if previous is None:
            raise Conflict(f"the label '{label}' of '{name}' has never pointed anywhere else")
        return self.point(prompt, label, previous.target, reason)

    def history(self, name: str, label: str, limit: int, cursor: str | None) -> Page[LabelMove]:
        """Return a page of a label's history, the newest move first."""
        prompt = require_prompt(self.unit, name)
        rows = label_store.list_moves(self.unit.session, prompt, label, decode_cursor(cursor, int), limit + 1)
        return build_page(rows, limit, lambda move: move.id)

    def point(self, prompt: PromptRecord, label: str, target: LabelTarget, reason: str) -> Label:
        """Move a label of a prompt that this transaction has locked, and whose target the caller has checked."""
        unit = self.unit
        move = NewLabelMove(label, target, prompt.labels.get(label), unit.caller.actor, reason, unit.clock())
        audit.record_change(unit, EventKind.LABEL_MOVED, prompt.name, move.event_detail())
        return add_move(unit, prompt, move)

    def _lock_movable(self, name: str, label: str, expected: int | None) -> PromptRecord:
        """Lock the prompt, and check that the label may move and has the expected revision."""
        require_settable((label,))
        lock_project(self.unit.session, self.unit.caller.project)
        prompt = require_prompt(self.unit, name, lock=True)
        require_not_archived(prompt)
        if expected is not None:
            current = label_store.find_label(self.unit.session, prompt, label, lock=True)
            if current is None or current.revision != expected:
                raise PreconditionFailed(f"the label '{label}' has moved since it was read; read it again")
        return prompt


def add_move(unit: UnitOfWork, prompt: PromptRecord, move: NewLabelMove) -> Label:
    """Store a move and its event, under the revision of the event."""
    detail = move.event_detail()
    revision = event_store.add_event(unit.session, unit.caller.project, prompt.id, EventKind.LABEL_MOVED, detail, move.at)
    return label_store.set_label(unit.session, prompt, move, revision)


def require_prompt(unit: UnitOfWork, name: str, *, lock: bool = False) -> PromptRecord:
    """Return a prompt of the caller's project; with `lock`, no other writer changes it until this transaction ends.

    Raises:
        NotFound: when there is none.
    """
    prompt = store.find_prompt(unit.session, unit.caller.project, name, lock=lock)
    if prompt is None:
        raise NotFound(f"there is no prompt '{name}' in the project '{unit.caller.project_name}'")
    return prompt


def require_not_archived(prompt: PromptRecord) -> None:
    """Check that a prompt is not archived.

    Raises:
        Conflict: with the remedy.
    """
    if prompt.archived_at is not None:
        raise Conflict(f"the prompt '{prompt.name}' is archived; restore it first")


def require_settable(labels: Sequence[str]) -> None:
    """Check that labels can be set.

    Raises:
        InvalidRequest: with an error for each that cannot.
    """
    field_errors = [
        FieldError(f"labels.{label}", "is set by the registry itself, to the newest version")
        for label in labels
        if label == LATEST
    ]
    field_errors += [
        FieldError("labels", f"'{label}' is not a name: use a-z 0-9 _ . -") for label in labels if not is_name(label)
    ]
    if field_errors:
        raise InvalidRequest("the label cannot be set", field_errors)


def _require_versions(prompt: PromptRecord, numbers: Sequence[int]) -> None:
    for number in numbers:
        if not 1 <= number <= prompt.newest:
            raise NotFound(f"the prompt '{prompt.name}' has no version {number}; its newest is {prompt.newest}")
