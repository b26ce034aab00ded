"""A real Prometheus scrapes a running service, and answers each query of the dashboard and of the rules."""

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.test_monitoring import MONITORING, dashboard_queries, rules
from factories.processes import free_port, wait_until_ready
from factories.reported_calls import call, calls
from factories.sampled_calls import StoredCall, store_calls_in
from promptuary.core.clock import wall_clock
from promptuary.models.chat_models import ChatModels
from promptuary.traffic.calls.model_call import CallStatus
from promptuary.traffic.online.queue_filling import COMMIT_TIME
from promptuary.traffic.online.scoring import OnlineScorings
from traffic.intake.conftest import traffic_of

__all__ = ["traffic_of"]
EMPTY = (
    "PromptuaryDown",
    "feedback_mean",
    "> 600",
    "parked > 0",
    "late > 0",
    "5..",
    "feedback",
    "cost_usd",
    "run_cost",
    "review_open",
    "review_open",
    "_runs",
    'prompt=""',
)
"""Parts of queries that rightly have no result here: nothing is down, late or refused, and no call has feedback or a cost."""


@pytest.fixture
def clock() -> Any:
    """The real time, which Prometheus has, too."""
    return wall_clock


@pytest.fixture
def prometheus(url: str, key: Callable[..., str], tmp_path: Path) -> Iterator[str]:
    """The address of a Prometheus that scrapes the service once a second."""
    program = shutil.which("prometheus")
    assert program is not None, "install Prometheus (Debian: `apt-get install prometheus`)"
    (tmp_path / "key").write_text(key("operator"), encoding="utf-8")
    shutil.copy(MONITORING / "promptuary-rules.yml", tmp_path)
    example = (MONITORING / "prometheus.yml").read_text(encoding="utf-8")
    config = example.replace("127.0.0.1:8400", url.removeprefix("http://")).replace("30s", "1s, evaluation_interval: 1s")
    config = config.replace("/etc/prometheus/promptuary.key", str(tmp_path / "key"))
    (tmp_path / "prometheus.yml").write_text(config, encoding="utf-8")
    port = free_port()
    arguments = [f"--config.file={tmp_path}/prometheus.yml", f"--storage.tsdb.path={tmp_path}/data"]
    arguments.append(f"--web.listen-address=127.0.0.1:{port}")
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen([program, *arguments], stdout=log, stderr=log)
        try:
            wait_until_ready(f"http://127.0.0.1:{port}/-/ready", process)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(30)


def ask(address: str, query: str) -> list[Any]:
    answer = httpx.get(f"{address}/api/v1/query", params={"query": query}).json()
    assert answer["status"] == "success", answer
    result: list[Any] = answer["data"]["result"]
    return result


def test_each_query_is_answered_by_a_prometheus_that_scrapes(
    sqlite: Any, settings: Any, traffic_of: Any, unit_as: Any, prometheus: str, url: str, bearer: Any
) -> None:
    now = wall_clock()
    reported = [call(number, at=now) for number in range(1, 25)]
    reported += [call(number, at=now, status=CallStatus.ERROR) for number in range(25, 31)]
    traffic_of(draw=lambda: 1.0).take(calls(*reported))
    headers = bearer("service")
    rule = {"prompt": "support.triage", "scorers": [{"type": "icontains", "value": "card", "name": "on_topic"}]}
    assert httpx.put(f"{url}/v1/traffic/rules/online", json=rule, headers=bearer("lead")).status_code == 200
    with unit_as("author") as unit:
        store_calls_in(unit, wall_clock(), [StoredCall("scored", {}, "your card")], "support.triage")
    scorings = OnlineScorings(
        sqlite, lambda: wall_clock() + COMMIT_TIME, settings, None, ChatModels(settings), embed=lambda texts: []
    )  # type: ignore[arg-type]  # nothing is rendered
    while scorings.step():
        pass
    for version in (1, 2):
        moved = httpx.put(
            f"{url}/v1/prompts/support.triage/labels/production", json={"version": version}, headers=bearer("lead")
        )
        assert moved.status_code in (200, 201)
    for _ in range(3):
        assert httpx.get(f"{url}/v1/prompts/support.triage?version=1", headers=headers).status_code == 200
    deadline = time.monotonic() + 60
    while not ask(prometheus, "promptuary:traffic_error_ratio") or not ask(prometheus, "rate(promptuary_lookups_total[1m])"):
        assert time.monotonic() < deadline, ask(prometheus, "up")
        time.sleep(0.5)
    assert {row["value"][1] for row in ask(prometheus, "promptuary:traffic_error_ratio")} == {"0.2"}
    for query in dashboard_queries():
        assert ask(prometheus, query) or any(part in query for part in EMPTY), query
    for rule in rules():
        ask(prometheus, rule["expr"])
    alerts = {
        rule["name"]: rule["health"] for rule in httpx.get(f"{prometheus}/api/v1/rules").json()["data"]["groups"][0]["rules"]
    }
    assert set(alerts.values()) == {"ok"}
    [failing] = [rule for rule in rules() if rule.get("alert") == "PromptuaryVersionFails"]
    assert ask(prometheus, failing["expr"])


@pytest.mark.parametrize(
    "arguments", [("check", "rules", "promptuary-rules.yml"), ("test", "rules", "promptuary-rules-test.yml")]
)
def test_promtool_accepts_the_rules(arguments: tuple[str, ...]) -> None:
    checked = subprocess.run(["promtool", *arguments], cwd=MONITORING, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
