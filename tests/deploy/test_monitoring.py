"""The Grafana dashboard and the Prometheus rules: their structure, and that they name metrics that the service has."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from factories.reported_calls import call, calls
from paths import ROOT
from traffic.intake.conftest import Traffic, traffic_of

__all__ = ["traffic_of"]
MONITORING = ROOT / "deploy" / "monitoring"
METRIC = re.compile(r"promptuary_[a-z0-9_]+")


def dashboard() -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads((MONITORING / "grafana-dashboard.json").read_text(encoding="utf-8"))
    return parsed


def dashboard_queries() -> list[str]:
    """Return the queries of all panels, with the dashboard's variables replaced as Grafana replaces them."""
    queries = [target["expr"] for panel in dashboard()["panels"] for target in panel["targets"]]
    for variable in ("project", "prompt", "version"):
        queries = [query.replace(f"${variable}", ".*") for query in queries]
    return [query.replace("$window", "day") for query in queries]


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load((MONITORING / "promptuary-rules.yml").read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def test_every_panel_has_its_own_place_and_number() -> None:
    panels = dashboard()["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in panels)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) < 24  # the width of Grafana's grid


def test_every_query_has_a_title_a_unit_and_a_known_variable() -> None:
    variables = {variable["name"] for variable in dashboard()["templating"]["list"]}
    for panel in dashboard()["panels"]:
        assert panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"]
        for target in panel["targets"]:
            assert set(re.findall(r"\$(\w+)", target["expr"])) <= variables


def test_every_alert_has_a_severity_and_a_summary() -> None:
    alerts = [rule for rule in rules() if "alert" in rule]
    assert len(alerts) >= 5
    for alert in alerts:
        assert alert["labels"]["severity"] in ("info", "warning", "critical")
        assert alert["annotations"]["summary"].endswith(".")


def test_queries_name_metrics_of_the_service(sqlite: Any, local: Any, traffic_of: Callable[..., Traffic]) -> None:
    traffic_of(draw=lambda: 1.0).take(calls(call(1)))
    local.get("/v1/prompts")
    described = set(re.findall(r"^# HELP (promptuary_\w+)", local.get("/metrics").text, re.MULTILINE))
    for query in [*dashboard_queries(), *(rule["expr"] for rule in rules())]:
        for name in METRIC.findall(query):
            assert {name, re.sub("_(bucket|count|sum|total)$", "", name)} & described, name


def test_the_example_of_prometheus_has_no_key() -> None:
    text = Path(MONITORING / "prometheus.yml").read_text(encoding="utf-8")
    assert "credentials_file" in text
    assert "pmt_" not in text
