from typing import Any

import pytest

from promptuary.core.errors import InvalidRequest
from promptuary.core.settings import Settings
from promptuary.evaluation.admission import admit

PYTHON = {"type": "python", "value": "True"}
WEBHOOK = {"type": "webhook", "value": "https://hooks.example.com/score"}
BEST = {"type": "select-best", "value": "is best", "model": "openai:judge"}


def test_all_errors_are_reported_at_once_with_their_paths(suite_of: Any, plan_of: Any) -> None:
    suite = suite_of(scorers=[PYTHON, {"type": "equals", "value": "x"}, WEBHOOK, BEST])
    with pytest.raises(InvalidRequest) as refused:
        admit(suite, plan_of(1), Settings())
    messages = {error.path: error.message for error in refused.value.field_errors}
    assert set(messages) == {"scorers.0.value", "scorers.2.value", "scorers.3"}
    assert "PROMPTUARY_CODE_SCORERS" in messages["scorers.0.value"]
    assert "PROMPTUARY_WEBHOOK_HOSTS" in messages["scorers.2.value"]
    assert "the run has one" in messages["scorers.3"]


def test_allowed_scorers_are_admitted(suite_of: Any, plan_of: Any) -> None:
    settings = Settings(code_scorers=True, webhook_hosts="hooks.example.com")
    admit(suite_of(scorers=[PYTHON, WEBHOOK, BEST]), plan_of(1, baseline="production"), settings)


def test_a_refused_submission_leaves_no_run(create_words_suite: Any, submit_run: Any, author: Any) -> None:
    from promptuary.evaluation.runs.service import RunService

    create_words_suite(scorers=[PYTHON])
    with pytest.raises(InvalidRequest, match="PROMPTUARY_CODE_SCORERS"):
        submit_run()
    with author() as unit:
        assert RunService(unit).list_runs(10, None).items == []
