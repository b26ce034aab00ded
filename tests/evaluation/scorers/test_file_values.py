from pathlib import Path
from typing import Any

import pytest

from promptuary.evaluation.scorers.file_values import FILE_LIMIT, inline_files
from promptuary.prompt.errors import Invalid

CODE = "def get_assert(output, context):\n    return True\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    home = tmp_path / "evals"
    (home / "checks").mkdir(parents=True)
    (home / "checks" / "check.py").write_text(CODE)
    (home / "rubric.txt").write_text("is polite\n\n")
    (home / "schema.json").write_text('{"type": "object"}')
    (home / "words.yaml").write_text("- a\n- b\n")
    (tmp_path / "secret.txt").write_text("secret")
    (home / "link.txt").symlink_to(tmp_path / "secret.txt")
    (home / "large.txt").write_bytes(b"x" * (FILE_LIMIT + 1))
    (home / "latin.txt").write_bytes(b"\xe9")
    (home / "broken.json").write_text("{")
    return home


@pytest.mark.parametrize(
    ("spec", "value"),
    [
        (
            {"type": "python", "value": "file://checks/check.py"},
            {"file": "checks/check.py", "function": "get_assert", "code": CODE},
        ),
        (
            {"type": "not-python", "value": "file://checks/check.py:check"},
            {"file": "checks/check.py", "function": "check", "code": CODE},
        ),
        ({"type": "llm-rubric", "value": "file://rubric.txt"}, "is polite"),
        ({"type": "is-json", "value": "file://schema.json"}, {"type": "object"}),
        ({"type": "contains-any", "value": "file://words.yaml"}, ["a", "b"]),
        ({"type": "g-eval", "value": ["file://rubric.txt", "is brief"]}, ["is polite", "is brief"]),
        ({"type": "equals", "value": "plain"}, "plain"),
    ],
)
def test_a_files_content_becomes_the_value(spec: dict[str, Any], value: Any, folder: Path) -> None:
    assert inline_files(spec, folder) == spec | {"value": value}


def test_a_judges_prompt_can_be_a_file(folder: Path) -> None:
    spec = {"type": "llm-rubric", "value": "x", "config": {"prompt": "file://rubric.txt", "other": "file://rubric.txt"}}
    assert inline_files(spec, folder)["config"] == {"prompt": "is polite", "other": "file://rubric.txt"}


def test_files_of_scorers_in_a_set_are_inlined_too(folder: Path) -> None:
    spec = {"type": "assert-set", "assert": [{"type": "equals", "value": "file://rubric.txt"}, "nonsense"]}
    assert inline_files(spec, folder)["assert"] == [{"type": "equals", "value": "is polite"}, "nonsense"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("../secret.txt", "outside"),
        ("/etc/passwd", "outside"),
        ("link.txt", "outside"),
        ("nothing.txt", "not there"),
        ("checks", "not there"),
        ("", "not there"),
        ("a\x00b", "no path"),
        ("large.txt", "over the limit"),
        ("latin.txt", "not UTF-8"),
        ("broken.json", "cannot be read"),
        ("checks/check.py", "only a python scorer"),
    ],
)
def test_a_file_that_cannot_be_used_is_an_error(name: str, words: str, folder: Path) -> None:
    with pytest.raises(Invalid, match=words) as refused:
        inline_files({"type": "llm-rubric", "value": f"file://{name}"}, folder)
    assert refused.value.field_errors[0].path == "value"
    assert "secret\n" not in str(refused.value)
