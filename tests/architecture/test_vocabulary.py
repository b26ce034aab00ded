"""The vocabulary check itself: it reports what the glossary replaces, where it stands, and nothing else."""

from pathlib import Path

import pytest

from architecture.vocabulary import Violation, violations


def check(folder: Path, name: str, source: str) -> list[Violation]:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(source, encoding="utf-8")
    return violations([path], folder)


@pytest.mark.parametrize(
    ("source", "text", "line"),
    [
        ('"""A module."""\n\n\ndef run() -> int:\n    """Give the run."""\n', "Give", 4),
        ('"""A module."""\n\n\ndef run() -> int:\n    """Tell whether it runs."""\n', "Tell", 4),
        ('"""A module that is told of changes."""\n', "told", 1),
        ("x = 1  # asks anew\n", "anew", 1),
        ('MESSAGE = "a higher limit goes on"\n', "goes on", 1),
        ("found = 1\n", "found", 1),
        ("def run(faults: int) -> None: ...\n", "faults", 1),
        ("def raise_ceiling() -> None: ...\n", "raise_ceiling", 1),
    ],
)
def test_a_planted_word_is_reported_with_its_line(tmp_path: Path, source: str, text: str, line: int) -> None:
    reported = check(tmp_path, "server/module.py", source)
    assert (text, line) in [(violation.text, violation.line) for violation in reported]


def test_a_page_is_read_without_its_code(tmp_path: Path) -> None:
    page = "# Runs\n\n`told` and\n\n```\ntold\n```\n\nA run goes on.\n"
    assert [(violation.line, violation.text) for violation in check(tmp_path, "docs/page.md", page)] == [(9, "goes on")]


def test_string_literals_of_tests_are_data(tmp_path: Path) -> None:
    assert check(tmp_path, "tests/test_module.py", 'TEXT = "who told you"\n') == []
    assert [violation.text for violation in check(tmp_path, "server/module.py", 'TEXT = "who told you"\n')] == ["told"]


def test_a_long_name_of_a_test_is_reported(tmp_path: Path) -> None:
    name = "test_" + "a_very_long_claim_" * 5
    assert [violation.text for violation in check(tmp_path, "tests/test_module.py", f"def {name}() -> None: ...\n")] == [name]


def test_plain_code_is_not_reported(tmp_path: Path) -> None:
    source = '"""Runs of suites."""\n\n\ndef load_run() -> int:\n    """Return the run with this id."""\n    return 1\n'
    assert check(tmp_path, "server/module.py", source) == []
