"""The page on targets names every type, key and setting."""

import re

from paths import ROOT
from promptuary.core.settings import Settings
from promptuary.evaluation.applications.spec import ApplicationType, HttpSpec

PAGE = (ROOT / "docs" / "targets.md").read_text(encoding="utf-8")


def test_the_page_names_every_type_key_and_setting() -> None:
    rows = re.findall(r"(?m)^\| (`.*?`) \|", PAGE)
    names = {name for row in rows for name in re.findall(r"`([A-Za-z_]+)`", row)}
    assert {kind.value for kind in ApplicationType} < names
    assert HttpSpec.model_fields.keys() - {"semantics", "request"} < names
    for setting in ("TARGET_HOSTS", "TARGET_VARIABLES", "CODE_SCORERS", "CODE_PATH"):
        assert f"PROMPTUARY_{setting}" in PAGE
        assert not Settings.model_fields[setting.lower()].default
