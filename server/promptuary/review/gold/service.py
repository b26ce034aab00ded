"""The rules of gold cases: which corrections a lead may accept, and the dataset version that they become."""

from collections.abc import Sequence
from dataclasses import dataclass

from promptuary.access import audit
from promptuary.access.unit_of_work import UnitOfWork
from promptuary.core.errors import FieldError, InvalidRequest, NotFound
from promptuary.core.paging import Page, build_page, decode_cursor
from promptuary.evaluation.case import Case
from promptuary.evaluation.datasets import store as dataset_store
from promptuary.evaluation.datasets.service import DatasetService
from promptuary.evaluation.datasets.store import DatasetVersion
from promptuary.evaluation.plan import Variant
from promptuary.evaluation.runs import store as run_store
from promptuary.review.gold import store
from promptuary.review.gold.gold_case import CorrectedCase, with_gold
from promptuary.review.gold.store import GoldCase, OutputCorrection
from promptuary.review.queues.case_key import case_key
from promptuary.review.queues.service import QueueService


@dataclass(frozen=True)
class AcceptedGold:
    """The dataset version that has the gold cases, and where each comes from."""

    version: DatasetVersion
    cases: tuple[GoldCase, ...]


@dataclass(frozen=True)
class _Origin:
    """Of which case, and of which version's output, a correction is; no variant for an item that is of no run."""

    case: Case
    variant: Variant | None


@dataclass(frozen=True)
class GoldService:
    """Gold cases on behalf of a caller."""

    unit: UnitOfWork

    def list_corrections(self, queue: str, limit: int, cursor: str | None) -> Page[OutputCorrection]:
        """List the corrections in a queue that stand, in the order in which they were made.

        Raises:
            NotFound: when there is no such queue.
        """
        after = decode_cursor(cursor, int)
        rows = store.list_corrections(self.unit.session, QueueService(self.unit).find(queue), after, limit + 1)
        return build_page(rows, limit, lambda correction: correction.decision)

    def list_gold_cases(self, dataset: str, limit: int, cursor: str | None) -> Page[GoldCase]:
        """List the gold cases of a dataset in the order in which they were accepted.

        Raises:
            NotFound: when there is no such dataset.
        """
        DatasetService(self.unit).get(dataset)
        after = decode_cursor(cursor, int)
        rows = store.list_gold_cases(self.unit.session, self.unit.caller.project, dataset, after, limit + 1)
        page = build_page(rows, limit, lambda row: row[0])
        return Page([case for _, case in page.items], page.next_cursor)

    def accept(self, dataset: str, decisions: Sequence[int], reason: str = "") -> AcceptedGold:
        """Accept corrections into a dataset's next version, as the expected outputs of their cases.

        A case of the same input in the dataset gets the correction as its expected output; one that the dataset does not have
        is appended. The case's metadata have the provenance under `gold`. From then on nobody labels the case again.

        Args:
            dataset: the dataset's name; it need not exist.
            decisions: the numbers of the decisions whose corrections are accepted.
            reason: why.

        Raises:
            NotFound: for a decision that the project does not have.
            InvalidRequest: with every decision that has no correction, was undone, is accepted already, or corrects a case
                twice.
        """
        session, project = self.unit.session, self.unit.caller.project
        for queue in sorted({each.queue for each in store.find_corrections(session, project, decisions).values()}):
            QueueService(self.unit).find(queue, lock=True)  # so that nobody undoes a decision meanwhile
        corrections = self._checked(decisions)
        dataset_store.lock_dataset(session, project, dataset)
        origins = {each.decision: self._origin(each) for each in corrections}
        corrected = self._corrected(decisions, corrections, origins)
        newest = dataset_store.get_dataset_version(session, project, dataset)
        stored = () if newest is None else dataset_store.iterate_cases(session, newest.id)
        present = (case for case in stored if not case.erased)
        gold_ids: dict[int, list[str]] = {}
        version = DatasetService(self.unit).put_version(dataset, with_gold(present, corrected, gold_ids)).version
        gold = [
            self._gold_case(version, case, correction, origins[correction.decision], reason)
            for correction in corrections
            for case in gold_ids[correction.decision]
        ]
        for case in gold:
            store.add_gold_case(session, project, case)
        detail = {"version": version.number, "cases": len(gold), "decisions": list(decisions)}
        audit.record_change(self.unit, "gold.accepted", dataset, detail)
        return AcceptedGold(version, tuple(gold))

    def _checked(self, decisions: Sequence[int]) -> list[OutputCorrection]:
        """Return the corrections in their order.

        Raises:
            NotFound: for an unknown decision.
            InvalidRequest: with every one that cannot be accepted.
        """
        known = store.find_corrections(self.unit.session, self.unit.caller.project, decisions)
        errors = []
        for number, decision in enumerate(decisions):
            if decision not in known:
                raise NotFound(f"there is no decision '{decision}'")
            correction = known[decision]
            reason = (
                "was undone"
                if not correction.stands
                else "has no correction"
                if correction.text is None
                else "is accepted already"
                if correction.is_accepted
                else None
            )
            if reason is not None:
                errors.append(FieldError(f"decisions.{number}", reason))
        if errors:
            raise InvalidRequest("the corrections cannot be accepted", errors)
        return [known[decision] for decision in decisions]

    def _corrected(
        self, decisions: Sequence[int], corrections: Sequence[OutputCorrection], origins: dict[int, _Origin]
    ) -> dict[str, CorrectedCase]:
        """Return the corrected cases by their key.

        Raises:
            InvalidRequest: for two corrections of one case.
        """
        corrected: dict[str, CorrectedCase] = {}
        errors = []
        for number, correction in enumerate(corrections):
            origin = origins[correction.decision]
            case = CorrectedCase(correction.decision, origin.case, correction.text or "", self._provenance(correction, origin))
            if case.key in corrected:
                same = corrected[case.key].decision
                errors.append(FieldError(f"decisions.{number}", f"corrects the same case as the decision {same}"))
            else:
                corrected[case.key] = case
        if errors:
            raise InvalidRequest("the corrections cannot be accepted", errors)
        return corrected

    def _origin(self, correction: OutputCorrection) -> _Origin:
        """Return the case and the version that a correction is of; the item's own input where it is of no run."""
        run_id, _, place = correction.item.source.partition("/")
        run = run_store.get_run(self.unit.session, run_id, self.unit.caller.project)
        payload = correction.item.payload
        if run is not None and place.isdecimal():
            ordinal = int(place) // run.plan.per_case
            case = dataset_store.cases_at(self.unit.session, run.plan.dataset.id, [ordinal]).get(ordinal)
            variant = next((each for each in run.plan.variants if each.name == payload.get("variant")), None)
            if case is not None:
                return _Origin(case, variant)
        variables = payload.get("input")
        named = payload.get("case")
        case = Case(
            id=named if isinstance(named, str) and named else correction.item.id,
            vars=variables if isinstance(variables, dict) else {"input": variables},
            expected=payload.get("expected"),
        )
        return _Origin(case, None)

    def _provenance(self, correction: OutputCorrection, origin: _Origin) -> dict[str, object]:
        variant = origin.variant
        return {
            "queue": correction.queue,
            "item": correction.item.id,
            "decision": correction.decision,
            "reviewer": correction.reviewer_id,
            "prompt": None if variant is None else variant.prompt,
            "version": None if variant is None else variant.version,
            "digest": None if variant is None else variant.digest,
            "accepted_by": self.unit.caller.identity,
        }

    def _gold_case(
        self, version: DatasetVersion, case: str, correction: OutputCorrection, origin: _Origin, reason: str
    ) -> GoldCase:
        variant = origin.variant
        return GoldCase(
            dataset=version.name,
            dataset_version=version.number,
            case=case,
            case_key=case_key(origin.case),
            item=correction.item.id,
            decision=correction.decision,
            reviewer=correction.reviewer_id,
            prompt=None if variant is None else variant.prompt,
            prompt_version=None if variant is None else variant.version,
            prompt_digest=None if variant is None else variant.digest,
            accepted_by=self.unit.caller.identity,
            reason=reason,
            accepted_at=self.unit.clock(),
        )
