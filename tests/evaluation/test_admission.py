from typing import Any

import pytest

from promptuary.core.errors import InvalidRequest
from promptuary.core.settings import Settings
from promptuary.evaluation.admission import admit

PYTHON = {"type": "python", "value": "True"}
WEBHOOK = {"type": "webhook", "value": "https://hooks.example.com/score"}
BEST = {"type": "select-best", "value": "is best", "model": "openai:judge"}


def test_what_is_not_allowed_here_is_told_all_at_once_and_in_its_place(suite_of: Any, plan_of: Any) -> None:
    suite = suite_of(scorers=[PYTHON, {"type": "equals", "value": "x"}, WEBHOOK, BEST])
    with pytest.raises(InvalidRequest) as refused:
        admit(suite, plan_of(1), Settings())
    told = {fault.path: fault.message for fault in refused.value.field_errors}
    assert set(told) == {"scorers.0.value", "scorers.2.value", "scorers.3"}
    assert "PROMPTUARY_CODE_SCORERS" in told["scorers.0.value"]
    assert "PROMPTUARY_WEBHOOK_HOSTS" in told["scorers.2.value"]
    assert "the run has one" in told["scorers.3"]


def test_what_is_allowed_goes_in(suite_of: Any, plan_of: Any) -> None:
    settings = Settings(code_scorers=True, webhook_hosts="hooks.example.com")
    admit(suite_of(scorers=[PYTHON, WEBHOOK, BEST]), plan_of(1, baseline="production"), settings)


def test_a_suite_with_code_is_refused_when_a_run_is_submitted_and_no_run_is_left(
    create_words_suite: Any, submit_run: Any, author: Any
) -> None:
    from promptuary.evaluation.runs.service import Evaluations

    create_words_suite(scorers=[PYTHON])
    with pytest.raises(InvalidRequest, match="PROMPTUARY_CODE_SCORERS"):
        submit_run()
    with author() as unit:
        assert Evaluations(unit).runs(10, None).items == []
