"""Models with settings and addresses of their own in one run, distinguished in results, cache, cost and evidence."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from doubles.stub_model import Reaction, StubModelServer, completion
from promptuary.core.errors import InvalidRequest
from promptuary.core.settings import Settings, read_settings
from promptuary.evaluation.evidence import store as evidence_store
from promptuary.evaluation.evidence.store import EvidenceFilter
from promptuary.evaluation.runs import store
from promptuary.evaluation.runs.store import Run, RunState

Make = Callable[..., Any]
MODEL = "openai:stub"
PRICES = {MODEL: {"input": 0, "output": 1_000_000}}
SHORT, LONG = ({"name": MODEL, "label": label, "max_tokens": size} for label, size in (("short", 1), ("long", 3)))


@pytest.fixture
def settings(opened_database: Any, tmp_path: Path) -> Settings:
    """Settings of a server whose operator allows addresses of this machine, and one key."""
    url = opened_database.engine.url.render_as_string(hide_password=False)
    hosts = {"model_hosts": "127.0.0.1", "model_variables": "CANDIDATE_KEY"}
    return read_settings(data_dir=tmp_path / "data", database_url=url, **hosts)


def outputs(sqlite: Any, run: Run) -> dict[tuple[str, str], str | None]:
    with sqlite.read() as session:
        return {(each.case, each.variant): each.output for each in store.list_results(session, run.id)}


def test_two_lengths_of_one_model_are_two_columns(
    create_words_suite: Make, finish_run: Callable[..., Run], sqlite: Any, stub_model: StubModelServer
) -> None:
    create_words_suite("one two three four", models=[SHORT, LONG], prices=PRICES)
    run = finish_run()
    assert run.state is RunState.FINISHED, run.error
    assert outputs(sqlite, run) == {("c1", "v1·short"): "one", ("c1", "v1·long"): "one two three"}
    assert run.summary is not None
    assert [(each.name, each.model, each.cost) for each in run.summary.variants] == [
        ("v1·short", "openai:stub (short)", 1.0),
        ("v1·long", "openai:stub (long)", 3.0),
    ]
    with sqlite.read() as session:
        rows = evidence_store.list_evidence(session, run.project, EvidenceFilter(run=run.id), limit=9)
    assert {(row.variant, row.model) for row in rows} == {
        ("v1·short", "openai:stub (short)"),
        ("v1·long", "openai:stub (long)"),
    }
    again = finish_run()
    assert outputs(sqlite, again) == outputs(sqlite, run)
    assert stub_model.requests == 2


def test_a_version_is_compared_with_its_baseline_under_each_label(
    create_words_suite: Make, finish_run: Callable[..., Run], stub_model: StubModelServer
) -> None:
    gate = [{"metric": "exact", "not_worse_than": "production", "by": 0.5}]
    create_words_suite(versions=("{{text}}", "the {{text}}"), models=[SHORT, LONG], gate=gate)
    run = finish_run()
    assert run.summary is not None
    pairs = [(each.candidate, each.baseline, each.model) for each in run.summary.comparisons if each.metric == "exact"]
    assert pairs == [
        ("v2·short", "v1·short", "openai:stub (short)"),
        ("v2·long", "v1·long", "openai:stub (long)"),
    ]


def test_a_candidate_and_its_judge_are_asked_at_their_own_addresses(
    create_words_suite: Make,
    finish_run: Callable[..., Run],
    sqlite: Any,
    stub_model: StubModelServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CANDIDATE_KEY", "secret-of-the-candidate")
    verdict = completion({"role": "assistant", "content": '{"reason": "kind", "pass": true, "score": 1}'})
    stub_model.react = lambda number, body: Reaction(body=verdict)
    vllm = StubModelServer(lambda body: "kind words")
    with vllm.listening() as url:
        model = {"name": MODEL, "base_url": url, "api_key_env": "CANDIDATE_KEY", "extra_body": {"min_p": 0.1}}
        judge = {"name": MODEL, "label": "judge", "max_tokens": 500}
        rubric = {"type": "llm-rubric", "value": "is kind", "model": judge, "name": "rubric"}
        create_words_suite("hello", models=[model], scorers=[rubric])
        run = finish_run()
    assert run.state is RunState.FINISHED, run.error
    assert (vllm.requests, stub_model.requests) == (1, 1)
    assert vllm.bodies[0]["min_p"] == 0.1
    assert stub_model.bodies[0]["max_completion_tokens"] == 500
    with sqlite.read() as session:
        (row,) = evidence_store.list_evidence(session, run.project, EvidenceFilter(run=run.id), limit=9)
    assert row.model == f"openai:stub ({url.removeprefix('http://').removesuffix('/v1')})"
    assert [judge.model for judge in row.judges] == ["openai:stub (judge)"]
    stored = repr(store_of(sqlite, run))
    assert "secret-of-the-candidate" not in stored
    assert "CANDIDATE_KEY" in stored


def test_an_address_that_is_not_allowed_is_refused_at_submission(create_words_suite: Make, submit_run: Make) -> None:
    model = {"name": MODEL, "base_url": "http://169.254.169.254/v1", "api_key_env": "AWS_SECRET_ACCESS_KEY"}
    create_words_suite(models=[model], scorers=[{"type": "llm-rubric", "value": "x", "model": model}])
    with pytest.raises(InvalidRequest) as refused:
        submit_run()
    places = [error.path for error in refused.value.field_errors]
    assert places == [f"{place}.{field}" for place in ("models.0", "scorers.0.model") for field in ("base_url", "api_key_env")]


def test_a_request_chooses_a_model_of_the_suite_by_its_label(
    create_words_suite: Make, finish_run: Callable[..., Run], sqlite: Any, stub_model: StubModelServer
) -> None:
    create_words_suite("one two three four", models=[SHORT, LONG])
    assert outputs(sqlite, finish_run(models=["long"])) == {("c1", "v1"): "one two three"}
    assert outputs(sqlite, finish_run(models=[{"name": MODEL, "max_tokens": 2}])) == {("c1", "v1"): "one two"}


def test_thinking_has_room_under_a_cost_limit(
    create_words_suite: Make, finish_run: Callable[..., Run], stub_model: StubModelServer
) -> None:
    model = {"name": MODEL, "extra_body": {"enable_thinking": True}, "thinking_budget": 4000}
    create_words_suite("yes", models=[model], prices={MODEL: {"input": 0, "output": 1}}, max_cost=1.0)
    assert finish_run().state is RunState.FINISHED
    assert stub_model.bodies[0]["max_completion_tokens"] == 1024 + 4000


def store_of(sqlite: Any, run: Run) -> Any:
    with sqlite.read() as session:
        return store.get_run(session, run.id), store.list_results(session, run.id)
