"""Where a label's move is decided: the rules of where a label may point, and how it moves.

Every move is added to the label's history, to the audit chain and to the events.
"""

from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass

from promptuary.access import audit
from promptuary.access.store import lock_project
from promptuary.access.unit_of_work import UnitOfWork
from promptuary.core.errors import Conflict, Erased, FieldError, InvalidRequest, NotFound
from promptuary.core.paging import Page, build_page, decode_cursor
from promptuary.core.preconditions import UNCONDITIONAL, Preconditions
from promptuary.prompt.name import LATEST, is_name
from promptuary.prompt.split import divide
from promptuary.registry import label_store, store, version_store
from promptuary.registry.events import event_store
from promptuary.registry.events.event import EventKind
from promptuary.registry.events.recording import record_event
from promptuary.registry.label_store import Label, LabelMove, LabelTarget, NewLabelMove
from promptuary.registry.store import PromptRecord


@dataclass(frozen=True)
class Labels:
    """A project's labels, on behalf of a caller."""

    unit: UnitOfWork

    def label(self, name: str, label: str, condition: Preconditions = UNCONDITIONAL) -> Label:
        """Return a label of a prompt.

        Raises:
            NotFound: for an unknown prompt or label.
            PreconditionFailed: when the label has changed since the `If-Match` of the condition.
        """
        current = label_store.find_label(self.unit.session, require_prompt(self.unit, name), label)
        if current is None and label == LATEST:
            raise NotFound(
                f"`latest` is no stored label of '{name}': it always means the highest version; look the prompt up with it, "
                f"as in GET /v1/prompts/{name}?label=latest"
            )
        if current is None:
            raise _no_label(name, label)
        condition.require_match(current.tag, _describe(name, label))
        return current

    def move(self, name: str, label: str, version: int, reason: str, condition: Preconditions = UNCONDITIONAL) -> Label:
        """Move a label to a version.

        A move to the same version counts as a move, too: it changes the label's tag, which other callers may expect.

        Args:
            name: the prompt.
            label: any name but `latest`.
            version: the number of the version.
            reason: why; stored in the history.
            condition: what must be true of the label before the move.

        Raises:
            InvalidRequest: for a label that cannot be set.
            NotFound: for an unknown prompt or version.
            Erased: for a version whose content was erased.
            Conflict: for an archived prompt.
            PreconditionFailed: when the condition is not met.
        """
        prompt = self._lock_movable(name, label, condition)
        self._require_versions(prompt, [version])
        return self.point(prompt, label, LabelTarget(version), reason)

    def split(
        self,
        name: str,
        label: str,
        weights: Sequence[tuple[int, float]],
        reason: str,
        condition: Preconditions = UNCONDITIONAL,
    ) -> Label:
        """Move a label to several versions with weights; as few targeting keys as possible change their version.

        Args:
            name: the prompt.
            label: any name but `latest`.
            weights: versions with weights relative to their sum; the first version serves a lookup without a targeting key.
            reason: why; stored in the history.
            condition: what must be true of the label before the move.

        Raises:
            InvalidSplit: for weights that make no split.
            InvalidRequest, NotFound, Conflict, PreconditionFailed: as `move`.
        """
        prompt = self._lock_movable(name, label, condition)
        self._require_versions(prompt, [version for version, _ in weights])
        split = divide(f"{name}/{label}", weights, prompt.splits.get(label) or prompt.labels.get(label))
        return self.point(prompt, label, LabelTarget(split.arms[0].version, split), reason)

    def roll_back(
        self, name: str, label: str, reason: str, to: int | None = None, condition: Preconditions = UNCONDITIONAL
    ) -> Label:
        """Move a label back to its last different target; the next rollback goes one step further back.

        A split is restored with its buckets, and a removed label comes back. A move by hand after a rollback starts from
        there: no rollback leads to a target that was rolled away from.

        Args:
            name: the prompt.
            label: the label.
            reason: why; stored in the history.
            to: a version that the label has pointed at, not as an arm of a split; None for the last different target.
            condition: what must be true of the label before the move.

        Raises:
            NotFound: for an unknown prompt or label.
            Conflict: when there is nothing further back, the label never pointed at `to`, or the prompt is archived.
            PreconditionFailed: when the condition is not met.
        """
        prompt = self._lock_movable(name, label, condition)
        moves = list(label_store.walk_moves(self.unit.session, prompt, label))[::-1]
        if not moves:
            raise _no_label(name, label)
        targets = _earlier_targets(moves)
        if to is None:
            target = _previous_target(targets, version_store.erased_numbers(self.unit.session, prompt))
            if target is None:
                raise Conflict(
                    f"the label '{label}' of '{name}' has never pointed anywhere else"
                    if all(move.target == moves[0].target for move in moves)
                    else f"the label '{label}' of '{name}' has nothing further back; name a version with `to` (`--to`), or "
                    "set the label"
                )
        else:
            target = LabelTarget(to)
            if target == targets[-1]:
                raise Conflict(f"the label '{label}' of '{name}' points at version {to} already")
            if all(move.target != target for move in moves):
                raise _never_pointed(name, label, to, moves)
            self._require_versions(prompt, [to])
        return self.point(prompt, label, target, reason, rollback=True)

    def remove(self, name: str, label: str, reason: str, condition: Preconditions = UNCONDITIONAL) -> None:
        """Remove a label: lookups by it are not found from now on. Its history stays, and a rollback brings it back.

        Raises:
            InvalidRequest: for `latest`, which nobody sets.
            NotFound: for an unknown prompt or label.
            Conflict: for an archived prompt.
            PreconditionFailed: when the condition is not met.
        """
        prompt = self._lock_movable(name, label, condition)
        if label not in prompt.labels:
            raise _no_label(name, label)
        unit = self.unit
        move = NewLabelMove(label, None, prompt.labels[label], unit.caller.identity, reason, unit.clock())
        audit.record_change(unit, EventKind.LABEL_REMOVED, prompt.name, move.event_detail())
        add_move(unit, prompt, move)

    def history(self, name: str, label: str, limit: int, cursor: str | None) -> Page[LabelMove]:
        """Return a page of a label's history, the newest move first."""
        prompt = require_prompt(self.unit, name)
        rows = label_store.list_moves(self.unit.session, prompt, label, decode_cursor(cursor, int), limit + 1)
        return build_page(rows, limit, lambda move: move.id)

    def point(self, prompt: PromptRecord, label: str, target: LabelTarget, reason: str, *, rollback: bool = False) -> Label:
        """Move a label of a prompt that this transaction has locked, and whose target the caller has checked."""
        unit = self.unit
        move = NewLabelMove(label, target, prompt.labels.get(label), unit.caller.identity, reason, unit.clock(), rollback)
        audit.record_change(unit, EventKind.LABEL_MOVED, prompt.name, move.event_detail())
        return Label(label, target, add_move(unit, prompt, move), move.at)

    def _lock_movable(self, name: str, label: str, condition: Preconditions) -> PromptRecord:
        """Lock the prompt, and check that the label may move and that the condition is met."""
        require_settable((label,))
        lock_project(self.unit.session, self.unit.caller.project)
        prompt = require_prompt(self.unit, name, lock=True)
        require_not_archived(prompt)
        if condition.are_stated:
            current = label_store.find_label(self.unit.session, prompt, label, lock=True)
            condition.require(current.tag if current else None, _describe(name, label))
        return prompt

    def _require_versions(self, prompt: PromptRecord, numbers: Sequence[int]) -> None:
        """Check that versions exist and have their content."""
        erased = version_store.erased_numbers(self.unit.session, prompt)
        for number in numbers:
            if not 1 <= number <= prompt.newest:
                raise NotFound(f"the prompt '{prompt.name}' has no version {number}; its newest is {prompt.newest}")
            if number in erased:
                raise Erased(f"the content of version {number} of '{prompt.name}' was erased; no label can point at it again")


def add_move(unit: UnitOfWork, prompt: PromptRecord, move: NewLabelMove, *, past: bool = False) -> int:
    """Store a move or a removal and its event, under the revision of the event, which is returned.

    Args:
        unit: the transaction.
        prompt: whose label it is.
        move: the entry of the label's history.
        past: whether it happened on another server before, so that no webhook sends it.
    """
    kind = EventKind.LABEL_REMOVED if move.target is None else EventKind.LABEL_MOVED
    if past:
        revision = event_store.add_event(unit.session, unit.caller.project, prompt.id, kind, move.event_detail(), move.at)
    else:
        revision = record_event(unit, prompt, kind, move.event_detail())
    if move.target is None:
        label_store.remove_label(unit.session, prompt, move, revision)
    else:
        label_store.set_label(unit.session, prompt, move, revision)
    return revision


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


def _describe(name: str, label: str) -> str:
    return f"the label '{label}' of '{name}'"


def _no_label(name: str, label: str) -> NotFound:
    return NotFound(f"the prompt '{name}' has no label '{label}'")


def _never_pointed(name: str, label: str, version: int, moves: Iterable[LabelMove]) -> Conflict:
    """Return the error for a rollback to a version alone where the label never was."""
    splits = (move.target.split for move in moves if move.target is not None)
    if any(arm.version == version for split in splits if split is not None for arm in split.arms):
        return Conflict(
            f"the label '{label}' of '{name}' has pointed at version {version} only as an arm of a split; set the label to the "
            "version instead"
        )
    return Conflict(f"the label '{label}' of '{name}' has never pointed at version {version}; set the label instead")


def _earlier_targets(moves: Iterable[LabelMove]) -> list[LabelTarget | None]:
    """Return the targets to which a label can go back, the present one last.

    A move adds its target. A rollback removes those that it went back over, so that the next one goes further back, and a
    move after a rollback starts from there. A removal counts as a target, None.

    Args:
        moves: the whole history, the oldest first.
    """
    targets: list[LabelTarget | None] = []
    for move in moves:
        if move.rollback and move.target in targets:
            while targets[-1] != move.target:
                targets.pop()
        elif not targets or targets[-1] != move.target:
            targets.append(move.target)
    return targets


def _previous_target(targets: Sequence[LabelTarget | None], erased: Set[int]) -> LabelTarget | None:
    """Return the last of the `_earlier_targets` that differs from the present one, is no removal and has no erased version."""
    earlier = (target for target in targets[-2::-1] if target is not None and target != targets[-1])
    return next((target for target in earlier if not target.versions & erased), None)
