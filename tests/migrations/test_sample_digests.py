"""Digests of the sample prompts, suites and datasets stay what they were: stored versions, runs and evidence refer to them."""

import json
from pathlib import Path

import pytest

from paths import GOLDEN, ROOT
from promptuary.evaluation.datasets.case_file import read_case_file
from promptuary.evaluation.suites.suite import read_suite, suite_digest
from promptuary.prompt.digest import content_digest
from promptuary.prompt.files.prompt_file import read_prompt_folder

DIGESTS = json.loads((GOLDEN / "digests.json").read_text("utf-8"))


@pytest.mark.parametrize("folder", ["prompts", "evals/baseline"])
def test_the_content_digests_of_sample_prompts_do_not_change(folder: str) -> None:
    prompts = read_prompt_folder(ROOT / folder)
    digests = {prompt.path.relative_to(ROOT).as_posix(): content_digest(prompt.content) for prompt in prompts}
    assert digests == {path: digest for path, digest in DIGESTS["prompts"].items() if Path(path).is_relative_to(folder)}


def test_the_digests_of_sample_suites_do_not_change() -> None:
    suites = {path.relative_to(ROOT).as_posix(): read_suite(path) for path in (ROOT / "evals").glob("*.yaml")}
    assert {path: suite_digest(file.suite) for path, file in suites.items()} == DIGESTS["suites"]


def test_the_digests_of_sample_datasets_do_not_change() -> None:
    datasets = {path.relative_to(ROOT).as_posix(): read_case_file(path) for path in (ROOT / "evals" / "datasets").iterdir()}
    digests = {path: {"cases": len(cases), "digest": cases.digest} for path, cases in datasets.items()}
    assert digests == DIGESTS["datasets"]
