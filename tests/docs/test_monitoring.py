"""The page about monitoring: its metrics and alerts are those that there are."""

import re
from typing import Any

import pytest

from deploy.test_monitoring import rules
from paths import ROOT

PAGE = (ROOT / "docs" / "monitoring.md").read_text(encoding="utf-8")


@pytest.mark.usefixtures("sqlite")
def test_the_metrics_of_the_page_are_those_that_there_are(local: Any) -> None:
    local.get("/v1/suites")
    documented = set(re.findall(r"`(promptuary_\w+)(?:\{[\w,]*\})?`", PAGE.partition("## Metrics of the service")[2]))
    there = set(re.findall(r"(?m)^# TYPE (promptuary_\w+) ", local.get("/metrics").text))
    assert documented == there


def test_the_alerts_of_the_page_are_those_of_the_rules() -> None:
    documented = set(re.findall(r"Promptuary[A-Z]\w+", PAGE.partition("## Alerts")[2]))
    assert documented == {rule["alert"] for rule in rules() if "alert" in rule}
