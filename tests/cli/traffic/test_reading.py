"""The commands that read traffic and change its settings, on a data directory with calls in it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cli.conftest import unit_of_work_on
from factories.reported_calls import call, calls
from promptuary.cli.connection import ApiClient
from promptuary.core.clock import wall_clock
from promptuary.core.database import Database
from promptuary.core.settings import read_settings
from promptuary.traffic.calls.model_call import CallStatus
from promptuary.traffic.intake.intake import TrafficIntake
from promptuary.traffic.intake.settling.settling import SampleSettling


@pytest.fixture
def traffic(data_dir: Path, run: Any, word: Path) -> str:
    """The name of a prompt with three calls in the sample, of which one failed; a fourth call has no prompt."""
    pushed = run("push", word, "--json").json
    with unit_of_work_on(data_dir) as unit:
        project = unit.caller.project
    settings = read_settings(data_dir=data_dir).model_copy(update={"traffic_wait": 0})
    database = Database(settings.sql_url)
    mark = {"prompt": {"name": pushed["name"], "version": "1"}}
    reported = [_call(number, mark, at=wall_clock()) for number in (1, 2)]
    reported += [_call(3, mark, at=wall_clock(), status=CallStatus.ERROR), call(4, None, at=wall_clock())]
    TrafficIntake(database, wall_clock, settings, draw=lambda: 0.0).take(project, calls(*reported))
    while SampleSettling(database, wall_clock, settings).step():
        pass
    database.dispose()
    return str(pushed["name"])


def _call(number: int, mark: Any, **values: Any) -> Any:
    from promptuary.traffic.calls.model_call import PromptMark

    return call(number, PromptMark(**mark["prompt"]), **values)


def test_show_prints_the_figures_of_each_version(traffic: str, run: Any) -> None:
    result = run("traffic", "show", traffic)
    assert result.code == 0, result
    first, columns, row = result.out.splitlines()
    assert first.startswith("3 calls from ")
    figures = dict(zip(columns.split("\t"), row.split("\t"), strict=False))
    assert (figures["version"], figures["calls"], figures["errors"], figures["tokens in"]) == ("1", "3", "33.3%", "300")
    assert figures["cost $"] == ""  # no call reports one
    assert run("traffic", "show", traffic, "--by", "version,day", "--json").json["total"]["calls"] == 3


def test_show_without_a_prompt_has_the_reasons_of_unattributed_calls(traffic: str, run: Any) -> None:
    items = run("traffic", "show", "--json").json["items"]
    assert {(item["prompt"], item["reason"], item["calls"]) for item in items} == {(None, "no_prompt", 1), (traffic, None, 3)}


def test_observations_lists_the_sample(traffic: str, run: Any) -> None:
    listed = run("traffic", "observations", traffic)
    assert listed.code == 0, listed
    assert len(listed.out.splitlines()) == 4
    assert "It is on its way." in listed.out
    assert len(run("traffic", "observations", "--status", "error", "--json").json) == 1
    assert len(run("traffic", "observations", "--limit", 2, "--json").json) == 2


def test_settings_are_changed_one_by_one_and_taken_back(traffic: str, run: Any, write: Callable[[str, str], Path]) -> None:
    rules = write("rules.json", json.dumps([{"prompt": traffic, "service": "checkout"}]))
    changed = run("traffic", "settings", "set", "sample=0.5", "keep=all", "--rules", rules, "--json").json
    assert (changed["effective"]["sample"], changed["effective"]["keep"]) == (0.5, "all")
    again = run("traffic", "settings", "set", "days=7", "keep=default", "--json").json
    assert (again["settings"]["sample"], again["settings"]["keep"], again["settings"]["days"]) == (0.5, None, 7)
    assert [rule["service"] for rule in again["rules"]] == ["checkout"]
    printed = run("traffic", "settings", "get").out
    assert "sample\t0.5\tproject" in printed
    assert "days\t7\tproject" in printed
    assert "keep\tattributed\tservice" in printed
    assert f'rule 1: {{"service": "checkout"}} → {traffic}' in printed


@pytest.mark.parametrize("value", ["sample", "sample=2", "no_such=1", "sample=half"])
def test_a_setting_that_is_wrong_changes_nothing(run: Any, value: str) -> None:
    assert run("traffic", "settings", "set", value).code == 64
    assert run("traffic", "settings", "get", "--json").json["effective"]["sample"] == 0.05


def test_settings_that_another_changes_meanwhile_are_kept(traffic: str, run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    read = ApiClient.get_with_tag
    times = []

    def read_before_another(client: ApiClient, path: str) -> tuple[Any, str]:
        present = read(client, path)
        times.append(path)
        if len(times) == 1:
            assert run("traffic", "settings", "set", "days=7").code == 0
        return present

    monkeypatch.setattr(ApiClient, "get_with_tag", read_before_another)
    assert run("traffic", "settings", "set", "sample=0.1").code == 0
    assert len(times) == 3
    own = run("traffic", "settings", "get", "--json").json["settings"]
    assert (own["sample"], own["days"]) == (0.1, 7)


def test_compare_prints_both_versions_and_the_difference(
    traffic: str, run: Any, write: Callable[[str, str], Path], word: Path
) -> None:
    refused = run("traffic", "compare", traffic, "1", "2")
    assert (refused.code, "has no version 2" in refused.err) == (64, True)
    content = json.loads(word.read_text(encoding="utf-8")) | {"template": "Another {{text}}."}
    assert run("push", write("prompts/word.yaml", json.dumps(content))).code == 0
    result = run("traffic", "compare", traffic, "1", "2")
    first, columns, *rows = result.out.splitlines()
    assert first.startswith(f"version 2 of {traffic} beside version 1, from ")
    figures = {row.split("\t")[0]: row.split("\t")[1:] for row in rows}
    assert columns.split("\t") == ["figure", "version 1", "version 2", "difference", "95 % interval", "finding"]
    assert (figures["calls"][:2], figures["errors"][0]) == (["3", "0"], "0.3333")
