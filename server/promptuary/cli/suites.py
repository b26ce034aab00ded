"""Suites as files, brought into the registry: the suite, its dataset, and the versions of a prompt that a folder has."""

from dataclasses import dataclass
from pathlib import Path

from promptuary.cli.connection import Api, NotInstalled, part
from promptuary.cli.registry import register
from promptuary.prompt.errors import Fault, Invalid
from promptuary.prompt.file import PromptFile


@dataclass(frozen=True)
class Stored:
    """A suite that the registry has, and the versions of its prompt that its file brought along; none for most files."""

    name: str
    prompt: str
    versions: tuple[int, ...] = ()


def stored(api: Api, suite: str) -> Stored:
    """Store a suite's file and its dataset, or find the suite by name."""
    path = Path(suite)
    if not path.exists() and path.suffix not in (".yaml", ".yml"):
        definition = api.get(f"/suites/{part(suite)}")["definition"]
        return Stored(definition["name"], definition["prompt"])
    try:
        from promptuary.evaluation.suite import read_suite, suite_json
    except ModuleNotFoundError as error:
        raise NotInstalled(f"suite files need {error.name}; install promptuary[server,evaluation]") from None
    file = read_suite(path)
    dataset = Path(file.suite.dataset).stem.lower()
    api.post_lines(f"/datasets/{part(dataset)}/versions", file.cases.pieces())
    api.put(f"/suites/{file.suite.name}", suite_json(file.suite) | {"dataset": dataset})
    return Stored(file.suite.name, file.suite.prompt)


def registered(api: Api, tried: list[PromptFile], prompt: str) -> int:
    """Register the folder's version of a prompt, under no label, and give its number."""
    found = next((file for file in tried if file.name == prompt), None)
    if found is None:
        raise Invalid("the folder of --prompts has no file for the suite's prompt", [Fault("prompt", f"'{prompt}'")])
    return int(register(api, found, labels=())["version"])
