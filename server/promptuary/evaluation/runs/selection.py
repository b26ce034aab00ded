"""The cases that a run is limited to: by their ids, those that failed in an earlier run, or a random sample."""

import random
from dataclasses import dataclass

from promptuary.access.unit_of_work import UnitOfWork
from promptuary.core.errors import FieldError, InvalidRequest, NotFound
from promptuary.evaluation.datasets import store as dataset_store
from promptuary.evaluation.datasets.service import DatasetService
from promptuary.evaluation.datasets.store import DatasetVersion
from promptuary.evaluation.plan import DatasetPart
from promptuary.evaluation.runs import store
from promptuary.evaluation.runs.request import RunRequest

_PART_NAME = ".part"
_SHOWN = 5


@dataclass(frozen=True)
class SelectedCases:
    """The cases that a run goes through.

    Attributes:
        dataset: with these cases alone.
        part: of which dataset they are a part; None where they are all of it.
    """

    dataset: DatasetVersion
    part: DatasetPart | None = None


def select_cases(unit: UnitOfWork, dataset: DatasetVersion, request: RunRequest) -> SelectedCases:
    """Return the cases that a request selects, stored as a dataset of their own, in the file's order.

    Raises:
        InvalidRequest: for a case that the dataset does not have, or where none is left.
        NotFound: for an unknown run.
    """
    erased = dataset_store.list_erased(unit.session, dataset.id)
    if request.cases is None and request.failing_in is None and request.sample is None and not erased:
        return SelectedCases(dataset)
    ids = list(dataset_store.list_memberships(unit.session, dataset.id))
    chosen = set(ids) - erased
    if request.cases is not None:
        if unknown := [case for case in dict.fromkeys(request.cases) if case not in chosen]:
            listed = ", ".join(f"'{case}'" for case in unknown[:_SHOWN]) + (" …" if len(unknown) > _SHOWN else "")
            raise InvalidRequest(
                "the run cannot be submitted", [FieldError("cases", f"'{dataset.name}' has no case {listed}, or it is erased")]
            )
        chosen &= set(request.cases)
    if request.failing_in is not None:
        chosen &= _failing_cases(unit, request.failing_in)
    selected = [case for case in ids if case in chosen]
    if request.sample is not None and request.sample < len(selected):
        sampled = set(random.Random(request.seed).sample(selected, request.sample))
        selected = [case for case in selected if case in sampled]
    if not selected:
        field = "failing_in" if request.failing_in is not None else "cases"
        left = f"; {len(erased)} of its cases are erased" if erased else ""
        raise InvalidRequest("the run cannot be submitted", [FieldError(field, f"no case of the dataset is selected{left}")])
    limits = request.failing_in, request.sample, request.seed
    part = DatasetPart(dataset.name, dataset.number, dataset.cases, *limits, erased=len(erased))
    selected_ids = set(selected)
    cases = (case for case in dataset_store.iterate_cases(unit.session, dataset.id) if case.id in selected_ids)
    name = dataset.name[: 128 - len(_PART_NAME)] + _PART_NAME
    return SelectedCases(DatasetService(unit).put_version(name, cases).version, part)


def _failing_cases(unit: UnitOfWork, run_id: str) -> set[str]:
    """Return the cases of which a result of a run did not pass, or has no verdict."""
    if store.get_run(unit.session, run_id, unit.caller.project) is None:
        raise NotFound(f"there is no run '{run_id}'")
    return {figures.case for figures in store.iterate_figures(unit.session, run_id) if figures.passed is not True}
