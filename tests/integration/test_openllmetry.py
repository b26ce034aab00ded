"""Openllmetry in an environment of its own sends to a running server, and its calls are read right."""

import subprocess
import sys
from pathlib import Path

import pytest

from factories.stock_emitters import INPUT_TOKENS, MESSAGES, OUTPUT_TOKENS, landscape_in
from promptuary.traffic.calls.contents_codec import decode_contents

pytestmark = pytest.mark.process
REQUIREMENTS = Path(__file__).parent / "openllmetry" / "requirements.txt"


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The interpreter of an environment with openllmetry."""
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", folder], check=True, timeout=300)
    command = [folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", REQUIREMENTS]
    subprocess.run(command, check=True, timeout=600)
    return str(folder / "bin" / "python")


def test_a_call_of_openllmetry_is_read_right(tmp_path: Path, python: str) -> None:
    with landscape_in(tmp_path) as landscape:
        (row,) = landscape.run("openllmetry_openai", python, PYTHONPATH="")
    assert (row.status, row.version, row.details["model"]) == ("ok", 1, "stub-small")
    assert (row.details["emitter"], row.details["attribution"]) == ("openllmetry", "ancestor")
    assert (row.details["tokens"]["input"], row.details["tokens"]["output"]) == (INPUT_TOKENS, OUTPUT_TOKENS)
    contents = decode_contents(row.contents or b"")
    assert (list(contents.input or ()), contents.output) == (MESSAGES, "delivery")
