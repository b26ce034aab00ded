"""Runs of a part of the cases: which they are, and that they are no evidence."""

from collections.abc import Callable
from typing import Any

import pytest

from promptuary.core.errors import InvalidRequest, NotFound
from promptuary.evaluation.evidence import store as evidence_store
from promptuary.evaluation.evidence.store import EvidenceFilter
from promptuary.evaluation.plan import plan_from_json, plan_to_json
from promptuary.evaluation.runs import store
from promptuary.evaluation.runs.store import Run
from promptuary.statistics.verdict import Verdict

Make = Callable[..., Any]
TEXTS = ("yes", "no", "yes", "no", "yes")
GATE = [{"metric": "exact", "at_least": 0.9}]


def cases_of_run(sqlite: Any, run: Run) -> list[str]:
    with sqlite.read() as session:
        return [each.case for each in store.list_results(session, run.id)]


def test_a_part_is_run_in_the_files_order_and_is_no_evidence(
    create_words_suite: Make, finish_run: Callable[..., Run], sqlite: Any
) -> None:
    create_words_suite(*TEXTS, gate=GATE)
    whole = finish_run()
    run = finish_run(cases=["c4", "c2"])
    assert cases_of_run(sqlite, run) == ["c2", "c4"]
    assert run.summary is not None
    assert (run.summary.verdict, run.summary.gates) == (Verdict.NO_GATE, ())
    assert run.plan.suite_digest == whole.plan.suite_digest
    assert run.plan.part is not None
    assert (run.plan.part.dataset, run.plan.part.number, run.plan.part.cases) == ("words", 1, 5)
    assert plan_from_json(plan_to_json(run.plan)) == run.plan
    with sqlite.read() as session:
        rows = evidence_store.list_evidence(session, run.project, EvidenceFilter(), limit=9)
    assert [row.run for row in rows] == [whole.id]


def test_cases_that_failed_in_a_run_are_run_again(
    create_words_suite: Make, finish_run: Callable[..., Run], sqlite: Any
) -> None:
    create_words_suite(*TEXTS)
    whole = finish_run()
    assert cases_of_run(sqlite, finish_run(failing_in=whole.id)) == ["c2", "c4"]
    assert cases_of_run(sqlite, finish_run(failing_in=whole.id, cases=["c1", "c4"])) == ["c4"]


def test_a_sample_is_the_same_for_a_seed(create_words_suite: Make, finish_run: Callable[..., Run], sqlite: Any) -> None:
    create_words_suite(*[f"t{number}" for number in range(40)])
    first, again, other = (cases_of_run(sqlite, finish_run(sample=10, seed=seed)) for seed in (1, 1, 2))
    assert len(first) == 10
    assert first == again != other
    assert first == sorted(first, key=lambda case: int(case[1:]))


@pytest.mark.parametrize(
    ("request_", "error", "words"),
    [
        ({"cases": ["c1", "c9"]}, InvalidRequest, "'words' has no case 'c9'"),
        ({"failing_in": "run_0"}, NotFound, "there is no run 'run_0'"),
    ],
)
def test_a_selection_of_nothing_is_refused(
    create_words_suite: Make, submit_run: Make, request_: dict[str, Any], error: type[Exception], words: str
) -> None:
    create_words_suite(*TEXTS)
    with pytest.raises(error) as refused:
        submit_run(**request_)
    assert words in " ".join([str(refused.value), *map(str, getattr(refused.value, "field_errors", ()))])
