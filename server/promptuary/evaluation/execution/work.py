"""The work of a run: one item for every case, variant and repeat, and which items have their result already."""

from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass

from promptuary.core.database import Database
from promptuary.evaluation.case import Case
from promptuary.evaluation.datasets import store as dataset_store
from promptuary.evaluation.plan import Plan, Variant
from promptuary.evaluation.verdict.case_order import CaseOrder

CASES_PAGE = 500


@dataclass(frozen=True)
class WorkItem:
    """A case under a variant in one repeat; `ordinal` is its place in the plan."""

    ordinal: int
    case: Case
    variant: Variant
    repeat: int


class CompletedItems:
    """The ordinals of a plan that have their result, in one bit each: a million of them take 125 kB."""

    def __init__(self, total: int, ordinals: Iterable[int] = ()) -> None:
        """Create `total` unmarked bits, and mark some ordinals."""
        self._bits = bytearray((total + 7) // 8)
        self._count = 0
        for ordinal in ordinals:
            self.add(ordinal)

    def add(self, ordinal: int) -> None:
        """Mark an ordinal; marking it again changes nothing."""
        bit = 1 << (ordinal & 7)
        if not self._bits[ordinal >> 3] & bit:
            self._bits[ordinal >> 3] |= bit
            self._count += 1

    def __contains__(self, ordinal: object) -> bool:
        return isinstance(ordinal, int) and bool(self._bits[ordinal >> 3] & 1 << (ordinal & 7))

    def __len__(self) -> int:
        return self._count


def work_items(
    plan: Plan, cases: Iterable[Case], completed: Container[int] = frozenset(), first: int = 0
) -> Iterator[WorkItem]:
    """Yield the items that remain, in the order of the file: by case, then by variant, then by repeat.

    Args:
        plan: of the run.
        cases: of the plan's dataset version, in their order.
        completed: the ordinals that have their result already.
        first: the position in the dataset of the first of the cases.
    """
    for position, case in enumerate(cases, first):
        for number, variant in enumerate(plan.variants):
            for repeat in range(plan.repeats):
                ordinal = position * plan.per_case + number * plan.repeats + repeat
                if ordinal not in completed:
                    yield WorkItem(ordinal, case, variant, repeat)


def dataset_cases(database: Database, plan: Plan) -> Iterator[Case]:
    """Yield the cases of a plan's dataset version: the first, which often suffices, then a page at a time."""
    first, size = 0, 1
    while first < plan.dataset.cases:
        with database.read() as session:
            cases = dataset_store.list_cases(session, plan.dataset.id, first, size)
        yield from cases
        first, size = first + size, CASES_PAGE


@dataclass(frozen=True)
class RemainingWork:
    """The items of a run that have no result yet; cases are read from the database a page at a time."""

    database: Database
    plan: Plan
    completed: CompletedItems

    def in_file_order(self) -> Iterator[WorkItem]:
        """Yield the items in the order of the file; pages without a remaining item are not read."""
        plan = self.plan
        for first in range(0, plan.dataset.cases, CASES_PAGE):
            last = min(first + CASES_PAGE, plan.dataset.cases)
            if all(ordinal in self.completed for ordinal in range(first * plan.per_case, last * plan.per_case)):
                continue
            with self.database.read() as session:
                cases = dataset_store.list_cases(session, plan.dataset.id, first, last - first)
            yield from work_items(plan, cases, self.completed, first)

    def in_case_order(self, order: CaseOrder) -> Iterator[WorkItem]:
        """Yield the items in the case order of a run that may stop early."""
        plan = self.plan
        with self.database.read() as session:
            memberships = dataset_store.list_memberships(session, plan.dataset.id)
        positions = {case: position for position, case in enumerate(memberships)}
        ordered = [positions[case] for unit in order.units for case in unit]
        for first in range(0, len(ordered), CASES_PAGE):
            page = ordered[first : first + CASES_PAGE]
            with self.database.read() as session:
                cases = dataset_store.cases_at(session, plan.dataset.id, page)
            for position in page:
                yield from work_items(plan, [cases[position]], self.completed, position)
