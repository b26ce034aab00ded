"""Outputs that are there: of a dataset of outputs or a variable of the case; nothing is called."""

import asyncio
from typing import Any

import pytest

from promptuary.evaluation.case import Case
from promptuary.evaluation.plan import ApplicationDetail
from promptuary.evaluation.targets.application import Application, ApplicationOutput, ApplicationQuestion
from promptuary.evaluation.targets.errors import ApplicationUnusable
from promptuary.evaluation.targets.recorded_outputs import OutputColumn, RecordedOutputs


def ask(application: Application, case: Case, detail: ApplicationDetail | None = None) -> ApplicationOutput:
    question = ApplicationQuestion(case, case.vars, None, 0)
    return asyncio.run(application.ask(question, {} if detail is None else detail))


def test_an_output_has_the_figures_that_its_line_has() -> None:
    fields: dict[str, Any] = {
        "output": "yes",
        "latency_ms": "12.5",
        "cost": 0.1,
        "tokens": {"input": 3, "output": 1},
        "version": "2",
    }
    detail: ApplicationDetail = {}
    answer = ask(RecordedOutputs({"a": Case("a", fields)}), Case("a", {}), detail)
    assert (answer.value, answer.latency_ms, answer.cost, answer.tokens) == ("yes", 12.5, 0.1, {"input": 3, "output": 1})
    assert detail == {"version": "2"}


def test_a_figure_that_is_not_there_is_not_known_and_no_zero() -> None:
    answer = ask(RecordedOutputs({"a": Case("a", {"output": "x", "cost": "free", "tokens": {"input": 3}})}), Case("a", {}))
    assert (answer.latency_ms, answer.cost, answer.tokens) == (None, None, None)


def test_a_column_of_the_dataset_is_the_output() -> None:
    assert ask(OutputColumn("reply"), Case("a", {"q": "hi", "reply": {"n": 1}})).value == {"n": 1}


@pytest.mark.parametrize("application", [RecordedOutputs({}), OutputColumn("reply")])
def test_a_case_without_an_output_is_an_error(application: Application) -> None:
    with pytest.raises(ApplicationUnusable, match="'a'"):
        ask(application, Case("a", {}))
