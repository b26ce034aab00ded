"""A translated promptfoo file as the files that a repository keeps: `evals/`, its dataset, and `prompts/`."""

import json
from pathlib import Path
from typing import Any

import yaml

from promptuary.evaluation.case import case_to_json
from promptuary.evaluation.json_object import JsonObject
from promptuary.evaluation.promptfoo.raw import RawObject
from promptuary.evaluation.promptfoo.translation import Translation
from promptuary.evaluation.suites.suite import Suite, suite_to_json
from promptuary.prompt.files.prompt_file_writer import prompt_file_text


def suite_file_texts(translation: Translation) -> dict[Path, str]:
    """Return each file's text by its path. Several prompts become prompts of their own, each with a suite on the same cases."""
    name = translation.suite.name
    dataset = Path("evals", "datasets", f"{name}.jsonl")
    lines = [json.dumps(_without_empty_fields(case_to_json(case)), ensure_ascii=False) for case in translation.cases]
    texts = {dataset: "".join(f"{line}\n" for line in lines)}
    if translation.suite.targets:
        suite = suite_to_json(translation.suite)
        texts[Path("evals", f"{name}.yaml")] = _yaml(_suite_body({**suite, "dataset": f"datasets/{name}.jsonl"}))
        return texts
    for number, (content, label) in enumerate(zip(translation.contents, translation.labels, strict=True), 1):
        prompt = name if len(translation.contents) == 1 else f"{name}.{number}"
        message = " ".join(label.split())[:200]
        texts[Path("prompts", *prompt.split(".")).with_suffix(".yaml")] = prompt_file_text(content, message=message)
        own = {**suite_to_json(translation.suite), "name": prompt, "prompt": prompt, "dataset": f"datasets/{name}.jsonl"}
        texts[Path("evals", f"{prompt}.yaml")] = _yaml(_suite_body(own))
    return texts


def _suite_body(suite: JsonObject) -> RawObject:
    """Return a suite's definition as a file has it: without defaults."""
    body = {key: value for key, value in suite.items() if value != _default(key) or (key in _ALWAYS and value)}
    body["gate"] = [{key: value for key, value in gate.items() if value is not None} for gate in suite["gate"]]
    return body


def _yaml(body: RawObject) -> str:
    """Write YAML in which nothing stands for something else, as PyYAML writes what is there twice."""
    return yaml.safe_dump(json.loads(json.dumps(body)), sort_keys=False, allow_unicode=True, width=110)


_ALWAYS = ("name", "prompt", "dataset", "models")


def _default(key: str) -> Any:
    return Suite.model_fields[key].get_default(call_default_factory=True)


def _without_empty_fields(case: RawObject) -> RawObject:
    """Return a case's JSON without the fields that are empty."""
    return {"id": case["id"], **{key: value for key, value in case.items() if key != "id" and value not in (None, [], {})}}
