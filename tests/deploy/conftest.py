"""A checkout with prompts and suites, in which the steps of a pipeline run as the platform runs them."""

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from cli.conftest import restored_process_state, serving, unit_of_work_on

BASH = ("bash", "--noprofile", "--norc", "-eo", "pipefail")
SUITE = """\
name: words
prompt: word
dataset: words.jsonl
models: ["echo:"]
scorers:
  - {type: equals, value: "{{expected}}", name: exact}
gate:
  - {metric: exact, at_least: 0.5}
"""
# In place of Python: `-m venv` makes a folder whose Python records the arguments of pip, and whose `promptuary` is this code.
PYTHON = f"""\
#!/bin/bash
if [ "$1 $2" != "-m venv" ]; then exit 9; fi
mkdir -p "$3/bin"
printf '#!/bin/bash\\nprintf "%%s\\\\n" "$@" > "{{log}}"\\n' > "$3/bin/python"
printf '#!/bin/bash\\nexec "{sys.executable}" -W ignore -m promptuary.cli.main "$@"\\n' > "$3/bin/promptuary"
chmod +x "$3"/bin/*
"""


@dataclass(frozen=True)
class Step:
    """How a step ended, and its output."""

    code: int
    output: str


@dataclass(frozen=True)
class Machine:
    """A machine of the platform: the checkout, a folder for what is temporary, and what the platform sets for every step."""

    checkout: Path
    temporary: Path
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def pip_arguments(self) -> list[str]:
        """The arguments with which the install step called pip."""
        return (self.temporary / "pip.txt").read_text().splitlines()

    @property
    def path(self) -> str:
        """Where commands are found: no Python of the platform's but the replaced one."""
        return f"{self.temporary / 'platform'}:{os.environ['PATH']}"

    def bash(self, script: str, variables: Mapping[str, str]) -> Step:
        """Run a script in the checkout, with the variables and nothing else of this process but what finds the code."""
        inherited = {name: os.environ[name] for name in ("PYTHONPATH", "LANG", "COVERAGE_PROCESS_CONFIG") if name in os.environ}
        file = self.temporary / "step.sh"
        file.write_text(script)
        environment = (
            inherited | {"HOME": str(self.temporary), "CI": "true", "PATH": self.path} | self.variables | dict(variables)
        )
        result = subprocess.run(
            [*BASH, str(file)], cwd=self.checkout, env=environment, capture_output=True, text=True, check=False
        )
        return Step(result.returncode, result.stdout + result.stderr)


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture(scope="session")
def mlflow_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MLflow database with its tables; creating them takes seconds."""
    from promptuary.core.database import Database
    from promptuary.core.settings import read_settings
    from promptuary.evaluation.tracking.mlflow_tracker import MlflowTracker

    folder = tmp_path_factory.mktemp("mlflow")
    with restored_process_state():
        MlflowTracker(
            read_settings(data_dir=folder), Database(f"sqlite:///{folder / 'none.db'}")
        )._client().search_experiments()
    return folder / "mlflow.db"


@pytest.fixture
def data_dir(tmp_path: Path, migrated_file: Path, mlflow_file: Path) -> Path:
    """A data directory whose databases are empty and have today's schema."""
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    shutil.copy(migrated_file, folder)
    shutil.copy(mlflow_file, folder)
    return folder


@pytest.fixture
def machine(tmp_path: Path, data_dir: Path) -> Machine:
    """A machine with a checkout: the prompt `word` on the main branch and a changed one, and suites of each verdict."""
    checkout, temporary = tmp_path / "check out", tmp_path / "temporary"
    (temporary / "platform").mkdir(parents=True)
    write(temporary / "platform" / "python3", PYTHON.format(log=temporary / "pip.txt"))
    (temporary / "platform" / "python3").chmod(0o755)
    word: dict[str, Any] = {"type": "text", "template": "{{text}}"}
    write(checkout / "main" / "word.yaml", json.dumps({**word, "labels": ["production"]}))
    write(checkout / "prompts" / "word.yaml", json.dumps({**word, "template": "{{text}}!"}))
    for name, texts in {"good": ["yes"] * 20, "bad": ["no"] * 20, "open": ["yes", "no"] * 5}.items():
        cases = [{"id": f"c{place}", "vars": {"text": text}, "expected": "yes"} for place, text in enumerate(texts)]
        write(checkout / "evals" / f"{name}.jsonl", "".join(json.dumps(case) + "\n" for case in cases))
        write(checkout / "evals" / f"{name}.yaml", SUITE.replace("words", name))
    return Machine(checkout, temporary, {"PROMPTUARY_DATA_DIR": str(data_dir)})


@pytest.fixture
def server(data_dir: Path, machine: Machine) -> Iterator[Mapping[str, str]]:
    """A server with a worker and the prompt in production, reached by a key of the role ci; its URL and the key."""
    from promptuary.access.role import GRANTABLE, Role
    from promptuary.access.service import AccessService, KeyHolder
    from promptuary.core.settings import read_settings
    from promptuary.prompt.content import Content
    from promptuary.registry.service import Registry
    from promptuary.worker.assembly import build_worker

    with unit_of_work_on(data_dir) as unit:
        Registry(unit).register("word", Content(type="text", template="{{text}}"), labels=("production",))
        _, key = AccessService(unit).create_key("ci", Role.CI, holder=KeyHolder(grants=GRANTABLE))
    stop = threading.Event()
    with restored_process_state(), build_worker(read_settings(data_dir=data_dir)) as worker, serving(data_dir) as url:
        thread = threading.Thread(target=worker.run, args=(stop,))
        thread.start()
        try:
            yield {"url": url, "key": str(key)}
        finally:
            stop.set()
            thread.join()
