"""A translated promptfoo file as the files that a repository keeps: `evals/`, its dataset, and `prompts/`."""

import json
from pathlib import Path
from typing import Any

import yaml

from promptuary.evaluation.case import case_to_json
from promptuary.evaluation.promptfoo.translation import Translation
from promptuary.evaluation.suites.suite import Suite, suite_to_json
from promptuary.prompt.files.prompt_file_writer import prompt_file_text


def suite_file_texts(made: Translation) -> dict[Path, str]:
    """Give each file's text by its path. Several prompts become prompts of their own, each with a suite on the same cases."""
    name = made.suite.name
    dataset = Path("evals", "datasets", f"{name}.jsonl")
    found = {dataset: "".join(json.dumps(_said(case_to_json(case)), ensure_ascii=False) + "\n" for case in made.cases)}
    for number, (content, label) in enumerate(zip(made.contents, made.labels, strict=True), 1):
        called = name if len(made.contents) == 1 else f"{name}.{number}"
        message = " ".join(label.split())[:200]
        found[Path("prompts", *called.split(".")).with_suffix(".yaml")] = prompt_file_text(content, message=message)
        suite = suite_to_json(made.suite) | {"name": called, "prompt": called, "dataset": f"datasets/{name}.jsonl"}
        body = {key: value for key, value in suite.items() if key in _ALWAYS or value != _default(key)}
        body["gate"] = [{key: value for key, value in gate.items() if value is not None} for gate in suite["gate"]]
        found[Path("evals", f"{called}.yaml")] = _yaml(body)
    return found


def _yaml(body: dict[str, Any]) -> str:
    """Write YAML in which nothing stands for something else, as PyYAML writes what is there twice."""
    return yaml.safe_dump(json.loads(json.dumps(body)), sort_keys=False, allow_unicode=True, width=110)


_ALWAYS = ("name", "prompt", "dataset", "models")


def _default(key: str) -> Any:
    return Suite.model_fields[key].get_default(call_default_factory=True)


def _said(case: dict[str, Any]) -> dict[str, Any]:
    """Leave out what a case does not say."""
    return {"id": case["id"], **{key: value for key, value in case.items() if key != "id" and value not in (None, [], {})}}
