"""What `pip install promptuary` gives without any extra: the client and the command line, and a clear word about the rest.

Run in a real bare install, or in a full one, where everything that an extra brings is kept from being imported.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.process

pytestmark = pytest.mark.bare_install

EXTRAS = (
    *(
        "alembic",
        "chromadb",
        "fastapi",
        "jinja2",
        "langchain",
        "langchain_core",
        "langchain_openai",
        "langchain_text_splitters",
        "lxml",
        "mlflow",
        "nltk",
    ),
    *("numpy", "pandas", "psycopg", "pydantic_settings", "pysqlite3", "rapidfuzz", "re2", "scipy", "sentence_transformers"),
    *(
        "sqlalchemy",
        "sqlglot",
        "sqlmodel",
        "starlette",
        "streamlit",
        "structlog",
        "torch",
        "transformers",
        "uvicorn",
        "uvloop",
        "xllamacpp",
    ),
)
BLOCK = f"""
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition('.')[0] in {EXTRAS!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Blocked())
"""


def bare(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PROMPTUARY_")}
    command = [sys.executable, "-c", BLOCK + code]
    return subprocess.run(command, env=clean | environment, capture_output=True, text=True, check=False, timeout=60)


def command(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return bare(f"sys.argv[1:] = {list(words)!r}\nfrom promptuary.cli.main import main\nmain()", **environment)


def test_the_client_works() -> None:
    code = """
from promptuary import Promptuary
client = Promptuary(url="http://127.0.0.1:9", api_key="pmt_x", disk=False)
prompt = client.get("a.b", fallback="Hi {{name}}")
assert (prompt.source, prompt.render(name="you")) == ("fallback", "Hi you"), prompt
"""
    done = bare(code)
    assert done.returncode == 0, done.stderr


def test_the_command_line_shows_its_help() -> None:
    done = command("--help")
    assert done.returncode == 0, done.stderr
    assert "sync" in done.stdout


def test_a_command_without_a_server_says_what_to_set_or_install() -> None:
    done = command("prompts")
    assert done.returncode == 64
    assert "PROMPTUARY_URL" in done.stderr
    assert "promptuary[server]" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_command_talks_to_a_server() -> None:
    done = command("prompts", PROMPTUARY_URL="http://127.0.0.1:9")
    assert done.returncode == 3
    assert "does not answer" in done.stderr


def test_a_prompt_in_jinja2_names_the_extra(tmp_path: Path) -> None:
    (tmp_path / "greet.yaml").write_text("type: text\nformat: jinja2\ntemplate: 'Hi {{ name }}'\n")
    done = command("sync", "plan", str(tmp_path), PROMPTUARY_URL="http://127.0.0.1:9")
    assert done.returncode == 64, done.stderr
    assert "install promptuary[jinja2]" in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("words", [("serve",), ("worker",), ("up",), ("doctor",), ("init",), ("eval", "run", "x.yaml")])
def test_what_needs_an_extra_names_it(words: tuple[str, ...]) -> None:
    done = command(*words)
    assert done.returncode == 64, done.stderr
    assert "install promptuary[" in done.stderr
    assert "Traceback" not in done.stderr
