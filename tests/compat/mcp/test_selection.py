import pytest

from promptuary.compat.mcp.selection import PromptSelection, parse_selection
from promptuary.core.errors import NotFound


@pytest.mark.parametrize(
    ("text", "label", "version"),
    [
        ("support.triage", "production", None),
        ("support.triage@staging", "staging", None),
        ("support.triage@Staging", "staging", None),
        ("support.triage@3", None, 3),
    ],
)
def test_a_name_selects_a_label_in_any_case_or_a_version(text: str, label: str | None, version: int | None) -> None:
    assert parse_selection(text, "production") == PromptSelection("support.triage", label, version)


@pytest.mark.parametrize("text", ["Support.Triage", "support.triage@", "support.triage@a b", "support.triage@0", "@staging"])
def test_what_cannot_be_a_name_a_label_or_a_version_is_not_found(text: str) -> None:
    with pytest.raises(NotFound):
        parse_selection(text, "production")
