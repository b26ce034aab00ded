"""What type checkers see: applications pass `mypy --strict` with what `render` returns, whichever it is."""

import subprocess
import sys
from pathlib import Path

import pytest

from paths import ROOT

APPLICATION = """
from promptuary import AsyncPromptuary, Promptuary
from promptuary.client import Prompt


def send(messages: list[dict[str, object]]) -> None: ...
def complete(text: str) -> None: ...


client = Promptuary()
prompt: Prompt = client.get("support.triage", fallback=lambda: "Sort {{ticket}}", max_age=0)
for message in prompt.render(ticket="x"):
    role: str = message["role"]
    print(message["content"], message.get("tool_calls"))
text: str = prompt.render(ticket="x")
complete(prompt.render())
print(len(prompt.render()), prompt.render()[0]["role"], prompt.render().upper())
messages = list(prompt.render())
messages.append({"role": "user", "content": None})
for name, variable in prompt.variables.items():
    print(name, variable.required, variable.type)
tags: tuple[str, ...] = prompt.tags


async def main() -> None:
    async def load() -> str:
        return "x"

    async with AsyncPromptuary() as client:
        prompt = await client.get("support.triage", fallback=load)
        for message in prompt.render():
            print(message["role"])


number: int = prompt.render()  # which is neither
"""


def check(code: str, tmp_path: Path) -> str:
    """Return what `mypy --strict` reports about an application."""
    path = tmp_path / "application.py"
    path.write_text(code)
    cache = ROOT / ".mypy_cache" / "applications"
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--no-error-summary",
        f"--cache-dir={cache}",
        "--config-file=",
        str(path),
    ]
    done = subprocess.run(
        command, cwd=tmp_path, env={"MYPYPATH": str(ROOT / "server")}, capture_output=True, text=True, check=False, timeout=600
    )
    return done.stdout + done.stderr


@pytest.mark.process
def test_an_application_passes_a_strict_type_checker(tmp_path: Path) -> None:
    (error,) = check(APPLICATION, tmp_path).splitlines()
    assert error.startswith(f"application.py:{len(APPLICATION.splitlines())}: error: Incompatible types in assignment")
