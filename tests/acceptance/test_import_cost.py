"""What a real process has imported when it has answered its first lookup."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = (
    "chromadb",
    "jinja2",
    "langchain",
    "langchain_core",
    "mlflow",
    "numpy",
    "pandas",
    "scipy",
    "sentence_transformers",
    "streamlit",
    "torch",
    "transformers",
    "xllamacpp",
)
FIRST_LOOKUP = """
import json, sys
import httpx
import anyio
from promptuary.access.auth.request import LOCAL_PROJECT
from promptuary.api.app import create_app
from promptuary.core.settings import read_settings

app = create_app(read_settings(data_dir=sys.argv[1]))

async def local(scope, receive, send):
    await app({**scope, LOCAL_PROJECT: "default"}, receive, send)

async def main():
    async with httpx.AsyncClient(transport=httpx.ASGITransport(local), base_url="http://127.0.0.1") as client:
        body = {"type": "text", "template": "Hi {{name}}", "labels": ["production"]}
        created = await client.post("/v1/prompts/a/versions", json=body)
        looked_up = await client.get("/v1/prompts/a")
        print(json.dumps([created.status_code, looked_up.status_code, looked_up.json()["version"], sorted(sys.modules)]))

anyio.run(main)
app.close()
"""


@pytest.mark.acceptance
def test_the_first_lookup_is_answered_before_anything_heavy_is_imported(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FIRST_LOOKUP, str(tmp_path / "data")], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    created, looked_up, version, modules = json.loads(done.stdout.splitlines()[-1])
    assert (created, looked_up, version) == (201, 200, 1)
    assert [name for name in HEAVY if name in modules] == []
    assert "promptuary.api.app" in modules
