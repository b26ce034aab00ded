"""A served process that has answered its first lookup is still small: nothing heavy was loaded for it."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

pytestmark = pytest.mark.acceptance
PROMPTUARY = [sys.executable, "-m", "promptuary.cli.main"]
STARTS_WITHIN = 60.0
MEMORY_LIMIT_MIB = 150
# Each of these loads shared objects of its own, which the kernel lists; Streamlit and LangChain, which have none, bring these.
HEAVY = ("torch", "numpy", "scipy", "pandas", "pyarrow", "chromadb_rust_bindings", "xllamacpp", "tokenizers", "sentencepiece")


def answered(url: str, process: subprocess.Popen[bytes], headers: dict[str, str]) -> Any:
    """Look up a prompt as soon as the server answers at all."""
    end = time.monotonic() + STARTS_WITHIN
    while True:
        try:
            return httpx.get(f"{url}/v1/prompts/greeting", headers=headers, timeout=10)
        except httpx.TransportError:
            assert process.poll() is None
            assert time.monotonic() < end
            time.sleep(0.05)


def test_the_first_lookup_of_a_served_process_loads_nothing_heavy(tmp_path: Path) -> None:
    environment = {**os.environ, "PROMPTUARY_DATA_DIR": str(tmp_path / "data")}
    (tmp_path / "greeting.yaml").write_text("type: text\ntemplate: 'Hello {{name}}'\nlabels: [production]\n")
    subprocess.run([*PROMPTUARY, "push", str(tmp_path / "greeting.yaml")], env=environment, check=True, capture_output=True)
    command = [*PROMPTUARY, "key", "create", "app", "--role", "reader"]
    key = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout.strip()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen([*PROMPTUARY, "serve", "--port", str(port)], env=environment, stdout=log, stderr=log)
    try:
        response = answered(f"http://127.0.0.1:{port}", process, {"Authorization": f"Bearer {key}"})
        assert (response.status_code, response.json()["template"]) == (200, "Hello {{name}}")
        proc = Path(f"/proc/{process.pid}")
        mapped = (proc / "maps").read_text()
        assert [name for name in HEAVY if f"/site-packages/{name}" in mapped] == []
        assert "/site-packages/pydantic_core" in mapped
        (resident,) = [line.split()[1] for line in (proc / "status").read_text().splitlines() if line.startswith("VmRSS:")]
        assert int(resident) / 1024 < MEMORY_LIMIT_MIB
        assert key not in (tmp_path / "log").read_text()
    finally:
        process.terminate()
        assert process.wait(20) in (0, -signal.SIGTERM)  # uvicorn ends in order, then by the signal that it was sent
