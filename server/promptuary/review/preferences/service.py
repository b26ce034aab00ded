"""The figures of a queue of pairs: strengths with intervals, and whether the side on the screen decided."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from promptuary.access.identity import shown_name
from promptuary.access.role import Scope
from promptuary.access.unit_of_work import UnitOfWork
from promptuary.core.errors import Conflict, NotFound
from promptuary.review.preferences import store
from promptuary.review.preferences.store import FIRST, SECOND, TIE, PairPreference, PreferenceFilter
from promptuary.review.queues.label_schema import FieldType
from promptuary.review.queues.queue import Queue
from promptuary.review.queues.service import QueueService

if TYPE_CHECKING:  # they load numpy
    from promptuary.statistics.pairwise.position_bias import PositionBias
    from promptuary.statistics.pairwise.ranking_interval import RankedSides

BOOTSTRAP_SEED = 1


@dataclass(frozen=True)
class PreferenceService:
    """Figures of pairs, on behalf of a caller."""

    unit: UnitOfWork

    def position_bias(self, name: str, field: str | None = None) -> "PositionBias":
        """Compute how often the left side was preferred, over all pairs, by reviewer, and in repeated pairs.

        Those who do not manage queues get the figures of finished pairs, and of reviewers their own.

        Args:
            name: of the queue.
            field: the field that has the preference; None for the queue's only one.

        Raises:
            NotFound: when there is no such queue, or no such field in it.
            Conflict: when the queue has no field of preferences, or several and none is named.
        """
        from promptuary.statistics.pairwise.comparison import SidedChoice
        from promptuary.statistics.pairwise.position_bias import compute_position_bias

        bias = compute_position_bias(
            [SidedChoice(_side(each), each.swapped, each.reviewer, each.pair) for each in self._preferences(name, field)]
        )
        if self.unit.caller.has(Scope.REVIEW_MANAGE):
            return bias
        own = {shown_name(self.unit.session, identity) for identity in self.unit.caller.identities}
        return replace(bias, reviewers={name: share for name, share in bias.reviewers.items() if name in own})

    def ranking(self, name: str, field: str | None = None) -> "RankedSides":
        """Compute the strengths of the variants, and the preferences within each pair of them. Raises as `position_bias`.

        A pair weighs as many pairs as it stands for: the inverse of its inclusion probability.
        """
        from promptuary.statistics.pairwise.comparison import PairComparison
        from promptuary.statistics.pairwise.ranking_interval import RankedSides, rank_sides

        preferences = self._preferences(name, field)
        sides = sorted({side for each in preferences for side in (each.first, each.second)})
        if len(sides) < 2:
            return RankedSides((), (), "undefined: no pair is decided", 0, 0.95, 0.0)
        winners = [{FIRST: each.first, SECOND: each.second, TIE: None}[each.preferred] for each in preferences]
        comparisons = [
            PairComparison(each.first, each.second, winner, each.pair, 1 / each.probability)
            for each, winner in zip(preferences, winners, strict=True)
        ]
        return rank_sides(sides, comparisons, seed=BOOTSTRAP_SEED)

    def _preferences(self, name: str, field: str | None) -> Sequence[PairPreference]:
        """Return the preferences; to those who do not manage queues, of pairs that have all their decisions alone."""
        queue = QueueService(self.unit).find(name)
        finished_only = not self.unit.caller.has(Scope.REVIEW_MANAGE)
        selected = PreferenceFilter(preference_field(queue, field), finished_only)
        return list(store.iterate_preferences(self.unit.session, queue, selected))


def preference_field(queue: Queue, field: str | None = None) -> str:
    """Return the name of a queue's field of preferences.

    Raises:
        NotFound: when the queue has no field of that name that has preferences.
        Conflict: when it has none at all, or several and none is named.
    """
    names = [each.name for each in queue.schema.fields if each.type is FieldType.PREFERENCE]
    if field is not None:
        if field not in names:
            raise NotFound(
                f"the queue '{queue.name}' has no preference '{field}'" + (f"; it has: {', '.join(names)}" if names else "")
            )
        return field
    if not names:
        raise Conflict(f"the queue '{queue.name}' has no preference; add a field of the type `preference` to its schema")
    if len(names) > 1:
        raise Conflict(f"the queue '{queue.name}' has several preferences; name one of: {', '.join(names)}")
    return names[0]


def _side(preference: PairPreference) -> str | None:
    """Return the preferred side of the screen; None for a tie."""
    if preference.preferred == TIE:
        return None
    return "left" if (preference.preferred == SECOND) == preference.swapped else "right"
