"""Where a rollback leads: back through the targets that people set, never forward to one that was rolled away from."""

from collections.abc import Iterable, Sequence

from promptuary.registry.label_store import LabelMove, LabelTarget


def earlier_targets(moves: Iterable[LabelMove]) -> list[LabelTarget | None]:
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


def previous_target(targets: Sequence[LabelTarget | None]) -> LabelTarget | None:
    """Return the last of the `earlier_targets` that differs from the present one and is no removal, if there is one."""
    return next((target for target in targets[-2::-1] if target is not None and target != targets[-1]), None)
