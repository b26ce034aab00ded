"""Direct calls of evaluations: the cases of a file that the command has checked are not checked again."""

import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from cli.conftest import restored_process_state
from promptuary.cli.connection import ApiClient
from promptuary.cli.embedded.service import EmbeddedService
from promptuary.evaluation.case import Case
from promptuary.evaluation.datasets.case_file import read_case_file
from promptuary.evaluation.datasets.case_spool import CaseSpool
from promptuary.prompt.errors import PromptuaryError

CHECKED_FILES = {
    "cases.jsonl": '{"id": 7, "vars": {"name": 1.0}, "assert": [{"type": "contains", "value": "A", "weight": 1.0}]}\n'
    '{"turns": [{"user": "hi"}, {"user": "more", "vars": {"b": 1, "a": 2}, "assert": [{"type": "is-json"}]}]}\n',
    "table.csv": "name,expected,cluster\nAnn,Hi Ann,5\nBo,,\n",
    "array.json": '[{"vars": {"name": "Ann"}, "expected": {"b": [1.50], "a": null}, "threshold": 1}]',
}


@pytest.fixture
def api(tmp_path: Path, migrated_file: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ApiClient]:
    (tmp_path / "data").mkdir()
    shutil.copy(migrated_file, tmp_path / "data")
    monkeypatch.setenv("PROMPTUARY_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("PROMPTUARY_DATASET_LIMIT", "1024")
    with restored_process_state(), closing(EmbeddedService(None)) as embedded:
        yield ApiClient(embedded=embedded)


@pytest.mark.parametrize("name", CHECKED_FILES)
def test_a_file_that_was_checked_is_stored_as_one_that_is_sent(name: str, api: ApiClient, tmp_path: Path) -> None:
    (tmp_path / name).write_text(CHECKED_FILES[name])
    cases = read_case_file(tmp_path / name)
    stored = api.post_lines("/datasets/same/versions", cases.pieces())
    sent = api.post_lines("/datasets/same/versions", iter(cases.pieces()))
    assert stored["version"] == sent["version"] == 1
    assert stored["digest"] == sent["digest"] == cases.digest


def test_cases_that_nobody_checked_are_checked_when_they_are_stored(api: ApiClient) -> None:
    repeated = CaseSpool([Case("c1", {}), Case("c1", {})])
    with pytest.raises(PromptuaryError, match="the dataset cannot be used"):
        api.post_lines("/datasets/repeated/versions", repeated.pieces())


def test_a_checked_file_over_the_limit_of_datasets_is_refused(api: ApiClient, tmp_path: Path) -> None:
    (tmp_path / "cases.jsonl").write_text("".join(f'{{"vars": {{"name": "{number}"}}}}\n' for number in range(100)))
    cases = read_case_file(tmp_path / "cases.jsonl")
    with pytest.raises(PromptuaryError, match="1024 bytes"):
        api.post_lines("/datasets/large/versions", cases.pieces())
