"""The house's rules on imports, and what a start may cost."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from paths import ROOT

pytestmark = pytest.mark.process

HEAVY = (
    "chromadb",
    "jinja2",
    "langchain",
    "langchain_core",
    "langchain_openai",
    "mlflow",
    "numpy",
    "pandas",
    "scipy",
    "sentence_transformers",
    "streamlit",
    "torch",
    "xllamacpp",
)
SERVER = ("alembic", "fastapi", "pydantic_settings", "sqlalchemy", "sqlmodel", "starlette", "structlog", "uvicorn")


def loaded_by(code: str, names: tuple[str, ...]) -> list[str]:
    """Run code in a fresh interpreter, and give those of the names that it has imported."""
    program = f"{code}\nimport json, sys\nprint(json.dumps([name for name in {names!r} if name in sys.modules]))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    loaded: list[str] = json.loads(done.stdout)
    return loaded


def test_imports_run_down_only() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_app_is_put_together_without_any_heavy_part() -> None:
    assert loaded_by("import promptuary.api.app", HEAVY) == []


@pytest.mark.parametrize(
    "code", ["import promptuary", "import promptuary.prompt.templates.preparation, promptuary.prompt.files.prompt_file"]
)
def test_the_package_and_its_prompts_need_neither_server_nor_model(code: str) -> None:
    assert loaded_by(code, (*SERVER, *HEAVY)) == []


def test_the_client_needs_neither_server_nor_model() -> None:
    assert loaded_by("from promptuary import Promptuary", (*SERVER, *HEAVY)) == []


SLOW_TO_IMPORT = (
    *("asyncio", "attrs", "click", "httpcore", "httpx", "jsonschema", "referencing", "requests", "rich", "typer", "yaml"),
    *("http.client", "opentelemetry", "unittest", "urllib.request"),
)
"""What takes tens of milliseconds and no import of the client needs; making a client needs httpx, and a schema jsonschema."""


def test_the_import_of_the_client_loads_nothing_slow() -> None:
    assert loaded_by("from promptuary import Prompt, Promptuary", (*SLOW_TO_IMPORT, *SERVER, *HEAVY)) == []


@pytest.mark.parametrize("name", ["Promptuary", "AsyncPromptuary", "Prompt"])
def test_the_public_names_are_there(name: str) -> None:
    assert loaded_by(f"from promptuary import {name}", ()) == []


def test_an_unknown_name_of_the_package_is_an_attribute_error() -> None:
    import promptuary

    with pytest.raises(AttributeError, match="module 'promptuary' has no attribute 'Manager'"):
        promptuary.Manager  # noqa: B018 # the access itself must fail


def test_the_source_roots_hold_the_package_and_nothing_else() -> None:
    assert [path.name for path in (ROOT / "server").iterdir() if path.name != "__pycache__"] == ["promptuary"]
    assert [path.name for path in (ROOT / "ui").iterdir() if path.name != "__pycache__"] == ["promptuary_ui"]
