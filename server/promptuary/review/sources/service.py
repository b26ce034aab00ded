"""Filling a queue from a run: what is selected by priority, and a random slice beside it with its recorded probability."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from promptuary.access.unit_of_work import UnitOfWork
from promptuary.core.errors import Conflict, FieldError, InvalidRequest, NotFound
from promptuary.evaluation.datasets import store as dataset_store
from promptuary.evaluation.runs.service import RunService
from promptuary.evaluation.runs.store import Run
from promptuary.review.queues import store
from promptuary.review.queues.case_key import case_key
from promptuary.review.queues.label_schema import FieldType
from promptuary.review.queues.queue import Queue
from promptuary.review.queues.service import AddedItems, NewItem, QueueService
from promptuary.review.queues.store import ItemChance
from promptuary.review.sources.candidates import Candidate, list_candidates
from promptuary.review.sources.fills import Fill, fill_to_json, read_fills, slice_probability
from promptuary.review.sources.random_slice import SliceDraw, draw_slice, interleave, permanent_number
from promptuary.review.sources.run_items import PRIORITY, SLICE, build_item, repeat_swapped
from promptuary.review.sources.selection import RunSelection

RUN_ITEM_LIMIT = 10_000
_SHOWN = 5


@dataclass(frozen=True)
class SourceService:
    """Fills queues from runs, on behalf of a caller."""

    unit: UnitOfWork

    def fill(self, name: str, selection: RunSelection) -> AddedItems:
        """Add a run's results, or pairs of them, to a queue, and record at the queue how they were selected.

        The slice and the rest are spread evenly, and the slice stands in a random order: the first items of a queue, too,
        contain a random slice. A result that is in the queue already stays where it is, and gets the inclusion probability of
        all ways into the queue together; see `random_slice`.

        Raises:
            NotFound: when there is no such queue, no such run, or the run has no such variant.
            InvalidRequest: when a case has no output, or more than RUN_ITEM_LIMIT items are selected.
            Conflict: for a random slice of a run that is not over: its population is not complete; and for pairs in a queue
                whose label schema has no preference.
        """
        queue = QueueService(self.unit).find(name, lock=True)
        if selection.pairs is not None and not any(field.type is FieldType.PREFERENCE for field in queue.schema.fields):
            raise Conflict(
                f"the queue '{name}' has no preference to fill in; add a field of the type `preference` to its schema"
            )
        run = self._run(selection)
        population, gold = self._population(run, selection)
        fill = Fill(
            selection, len(population), 0, gold, self.unit.caller.identity, self.unit.clock().isoformat(timespec="seconds")
        )
        chosen = _choose(population, fill.draw)
        if len(chosen) > RUN_ITEM_LIMIT:
            hint = "choose a variant, or draw a sample"
            raise InvalidRequest(f"{len(chosen)} items are selected; the limit is {RUN_ITEM_LIMIT}: {hint}")
        fills = [*read_fills(queue.source), fill]
        present = store.list_chances(self.unit.session, queue, f"{selection.run}/")
        chances = _chances(population, chosen, fills, present)
        store.change_chances(self.unit.session, queue, (chances[source] for source in chances if source in present))
        new = self._build_items(run, [candidate for candidate in chosen if candidate.source not in present], chances)
        repeated = _repeat_share(new, queue)
        added = QueueService(self.unit).add_items(name, [*new, *repeated])
        records = [*(queue.source or {}).get("fills", []), fill_to_json(replace(fill, added=len(new)))]
        origin = {"run": run.id, "suite": run.plan.suite_name, "prompt": run.plan.prompt}
        store.set_source(self.unit.session, queue, {**(queue.source or {}), **origin, "fills": records})
        return AddedItems(added.added, len(chosen) - len(new), gold, len(repeated))

    def _run(self, selection: RunSelection) -> Run:
        """Return the run whose results are selected."""
        run = RunService(self.unit).get(selection.run)
        names = [variant.name for variant in run.plan.variants]
        for variant in (selection.variant, *(selection.pairs or ())):
            if variant is not None and variant not in names:
                raise NotFound(f"the run '{run.id}' has no variant '{variant}'; it has: {', '.join(names)}")
        if selection.sample is not None and not run.state.over:
            raise Conflict(
                f"the run '{run.id}' is {run.state}: a random slice needs all of its results; wait for its end, or cancel it"
            )
        return run

    def _population(self, run: Run, selection: RunSelection) -> tuple[list[Candidate], int]:
        """Return the results or pairs that can become items, and how many cannot since their case is gold."""
        candidates = list_candidates(selection, run.plan, RunService(self.unit).iterate_outcomes(run.id))
        self._check_cases(selection, candidates)
        gold_keys = store.list_gold_keys(self.unit.session, self.unit.caller.project)
        if not gold_keys:
            return candidates, 0
        cases = dataset_store.iterate_cases(self.unit.session, run.plan.dataset.id)
        gold_cases = {case.id for case in cases if case_key(case) in gold_keys}
        population = [candidate for candidate in candidates if candidate.case not in gold_cases]
        return population, len(candidates) - len(population)

    def _check_cases(self, selection: RunSelection, candidates: Iterable[Candidate]) -> None:
        """Raise InvalidRequest for a case of the selection that nobody can review."""
        present = {candidate.case for candidate in candidates}
        missing = [case for case in selection.cases or () if case not in present]
        if missing:
            listed = ", ".join(f"'{case}'" for case in missing[:_SHOWN]) + (" …" if len(missing) > _SHOWN else "")
            message = f"the run '{selection.run}' has no output to review of {listed}"
            raise InvalidRequest("the queue cannot be filled", [FieldError("cases", message)])

    def _build_items(self, run: Run, candidates: Sequence[Candidate], chances: dict[str, ItemChance]) -> list[NewItem]:
        ordinals = [ordinal for candidate in candidates for ordinal in candidate.ordinals]
        results = RunService(self.unit).results_at(run.id, ordinals)
        items = []
        for candidate in candidates:
            chance = vars(chances[candidate.source])
            items.append(replace(build_item(candidate, run.plan, results), **chance))
        return items


def _choose(population: Sequence[Candidate], draw: SliceDraw | None) -> list[Candidate]:
    """Return what becomes items, in the order in which it is reviewed."""
    by_source = {candidate.source: candidate for candidate in population}
    drawn = [] if draw is None else draw_slice(draw, by_source)
    in_slice = set(drawn)
    selected = [candidate for candidate in population if candidate.is_selected and candidate.source not in in_slice]
    return interleave([by_source[source] for source in drawn], selected)


def _chances(
    population: Sequence[Candidate], chosen: Sequence[Candidate], fills: Sequence[Fill], present: dict[str, ItemChance]
) -> dict[str, ItemChance]:
    """Return the probabilities of the chosen items, and of those of the population that are in the queue already."""
    draw = fills[-1].draw
    drawn = set() if draw is None else set(draw_slice(draw, (candidate.source for candidate in population)))
    concerned = {candidate.source for candidate in chosen} | present.keys()
    chances = {}
    for candidate in population:
        if candidate.source not in concerned:
            continue
        former = present.get(candidate.source)
        in_slice = candidate.source in drawn or (former is not None and former.slice_probability is not None)
        is_certain = candidate.is_selected or (former is not None and former.probability >= 1)
        by_slice = slice_probability(fills, candidate)
        probability = 1.0 if is_certain or not in_slice else by_slice
        selection = SLICE if in_slice else PRIORITY
        chances[candidate.source] = ItemChance(candidate.source, probability, by_slice if in_slice else None, selection)
    return chances


def _repeat_share(items: Sequence[NewItem], queue: Queue) -> list[NewItem]:
    """Return repetitions, with the sides swapped, of the queue's share of new pairs, in a random order."""
    pairs = [item for item in items if item.pair_sides is not None]
    draw = SliceDraw(f"swapped {queue.id}", 0, round(queue.swap_share * len(pairs)), len(pairs))
    by_number = sorted(pairs, key=lambda item: permanent_number(draw, item.source))
    return [repeat_swapped(item) for item in by_number[: draw.size]]
