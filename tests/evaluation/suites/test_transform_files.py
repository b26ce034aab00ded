"""The code of files that a suite's scorers and transforms name: part of the suite, and so of its digest."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from promptuary.evaluation.suites.suite import Suite, read_suite, suite_digest, suite_to_json
from promptuary.prompt.files.yaml_document import InvalidFile

BODY: dict[str, Any] = {"name": "s", "prompt": "p", "dataset": "cases.jsonl", "models": ["echo:"]}


def read(folder: Path, **fields: Any) -> Suite:
    """Write and read a suite of one case."""
    (folder / "cases.jsonl").write_text('{"id": "c", "vars": {}}\n')
    (folder / "suite.yaml").write_text(yaml.safe_dump({**BODY, "scorers": [{"type": "is-json"}], **fields}))
    return read_suite(folder / "suite.yaml").suite


@pytest.mark.parametrize(
    "fields",
    [
        {"scorers": [{"type": "javascript", "value": "file://check.js:named"}]},
        {"scorers": [{"type": "is-json", "transform": "file://check.js"}]},
        {"scorers": [{"type": "assert-set", "assert": [{"type": "is-json", "transform": {"javascript": "file://check.js"}}]}]},
        {"transform": ["strip-fences", "file://check.js:named"]},
        {"model_transforms": {"echo:": {"javascript": "file://check.js"}}},
    ],
)
def test_a_changed_file_changes_the_digest(fields: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "check.js").write_text("module.exports = (o) => o; module.exports.named = (o) => o;")
    first = read(tmp_path, **fields)
    assert "module.exports" in str(suite_to_json(first))
    assert suite_digest(first) == suite_digest(read(tmp_path, **fields))
    assert Suite.model_validate(suite_to_json(first)) == first
    (tmp_path / "check.js").write_text("module.exports = (o) => o + 1; module.exports.named = (o) => o;")
    assert suite_digest(read(tmp_path, **fields)) != suite_digest(first)


def test_python_of_a_transform_is_inlined_with_its_own_default(tmp_path: Path) -> None:
    (tmp_path / "tidy.py").write_text("def get_transform(output, context):\n    return output\n")
    suite = read(tmp_path, transform={"python": "file://tidy.py"})
    assert suite.transform == {
        "python": {"file": "tidy.py", "function": "", "code": "def get_transform(output, context):\n    return output\n"}
    }


@pytest.mark.parametrize(
    ("fields", "place", "words"),
    [
        ({"transform": "file://none.js"}, "transform", "is not there"),
        ({"transform": "file://../out.js"}, "transform", "outside"),
        ({"model_transforms": {"echo:": {"python": "file://check.js"}}}, "model_transforms.echo:", "only a javascript scorer"),
        ({"scorers": [{"type": "is-json", "transform": "file://none.js"}]}, "scorers.0.transform", "is not there"),
        ({"scorers": [{"type": "javascript", "value": "file://check.ts"}]}, "scorers.0.value", "TypeScript"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_at_its_place(
    fields: dict[str, Any], place: str, words: str, tmp_path: Path
) -> None:
    (tmp_path / "check.js").write_text("module.exports = (o) => o")
    (tmp_path / "check.ts").write_text("export default (o: string) => true")
    with pytest.raises(InvalidFile) as refused:
        read(tmp_path, **fields)
    assert any(error.path == place and words in error.message for error in refused.value.field_errors), refused.value


def test_a_suite_without_transforms_keeps_its_digest() -> None:
    suite = Suite.model_validate({**BODY, "scorers": [{"type": "is-json"}]})
    assert suite_to_json(suite).keys().isdisjoint({"transform", "model_transforms"})
    assert set(suite_to_json(suite)["scorers"][0]) == {"type", "value", "threshold", "name", "weight", "model"}
