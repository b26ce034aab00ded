"""The client of 0.3.0, from its archive and in a process of its own, against the server of today.

It computes the digest of what it receives by the rules of 0.3.0, so it cannot verify what those rules do not cover.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from paths import GOLDEN

ARCHIVE = GOLDEN / "clients" / "0.3.0.zip"
PROGRAM = """
import json, sys
sys.path.insert(0, sys.argv[1])
import promptuary
from promptuary import Promptuary
assert promptuary.__version__ == "0.3.0" and promptuary.__file__.startswith(sys.argv[1])
client = Promptuary(disk=False, deadline=60.0, follow=False)
results = {}
for name, values in json.load(sys.stdin).items():
    try:
        prompt = client.get(name)
        rendered = prompt.render(**values)
        results[name] = {"digest": prompt.digest, "rendered": rendered, "tools": prompt.content.tools}
    except Exception as error:
        results[name] = {"error": type(error).__name__, "fallback": client.get(name, fallback="Hi").source}
json.dump(results, sys.stdout)
"""
SCHEMA = {"properties": {"answer": {"type": "string"}, "reasoning": {"type": "string"}}, "type": "object"}
REVERSED = {"type": "object", "properties": {"reasoning": {"type": "string"}, "answer": {"type": "string"}}}

VERIFIED: dict[str, dict[str, Any]] = {
    "plain": {"type": "text", "template": "Hi {{name}}"},
    "declared": {
        "type": "text",
        "template": "Hi {{name}}{{#tone}}, {{tone}}{{/tone}}",
        "variables": {"name": {"type": "string"}},
    },
    "defaults": {"type": "text", "template": "{{#a}}{{b}}{{/a}}{{name}}", "variables": {"a": {"default": {"b": 1, "c": None}}}},
    "f-string": {"type": "text", "template": "Hi {name}", "format": "f-string"},
    "settings": {
        "type": "text",
        "template": "Hi {{name}}",
        "model": {"name": "local:smollm2", "temperature": 0.0, "stop": ["\n"]},
    },
    "schema": {"type": "text", "template": "Hi {{name}}", "response_format": SCHEMA},
    "tools": {"type": "text", "template": "Hi {{name}}", "tools": [{"name": "a", "parameters": SCHEMA}]},
    "including": {"type": "text", "template": "{{> plain@1}}!"},
    "chat": {"type": "chat", "template": [{"role": "system", "content": "Hi {{name}}"}, {"role": "user", "content": "é 🙂"}]},
}
NOT_VERIFIED: dict[str, dict[str, Any]] = {
    "order-of-a-schema": {"type": "text", "template": "Hi {{name}}", "response_format": REVERSED},
    "order-of-tools": {"type": "text", "template": "Hi {{name}}", "tools": [{"parameters": SCHEMA, "name": "a"}]},
    "order-of-a-default": {"type": "text", "template": "{{name}}{{a}}", "variables": {"a": {"default": {"c": 1, "b": 2}}}},
    "number": {"type": "text", "template": "Hi {{name}}", "tools": [{"name": "a", "parameters": {"minimum": 1.0}}]},
    "config": {"type": "text", "template": "Hi {{name}}", "config": {"a": 1}},
    "empty-config": {"type": "text", "template": "Hi {{name}}", "config": {}},
    "format": {"type": "text", "template": "Hi {{name}}", "format": "simple"},
    "role": {"type": "chat", "template": [{"role": "developer", "content": "Hi {{name}}"}]},
    "parts": {"type": "chat", "template": [{"role": "user", "content": [{"type": "text", "text": "Hi {{name}}"}]}]},
}


@pytest.fixture
def lookups(url: str, key: Callable[..., str], local: Any, tmp_path: Path) -> dict[str, Any]:
    """What the client of 0.3.0 makes of each prompt, with the versions as the server answered them."""
    versions = {}
    for name, body in (VERIFIED | NOT_VERIFIED).items():
        response = local.post(f"/v1/prompts/{name}/versions", json={**body, "labels": ["production"]})
        assert response.status_code == 201, response.text
        versions[name] = response.json()
    environment = {**os.environ, "PROMPTUARY_URL": url, "PROMPTUARY_API_KEY": key("reader")}
    environment.pop("PYTHONPATH", None)
    values = json.dumps({name: {"name": "Ada"} for name in versions})
    command = [sys.executable, "-c", PROGRAM, str(ARCHIVE)]
    process = subprocess.run(
        command, input=values, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
    )
    assert process.returncode == 0, process.stderr
    results = json.loads(process.stdout)
    return {name: (versions[name], results[name]) for name in versions}


def test_a_client_of_0_3_0_reads_what_it_can_verify_and_refuses_the_rest(lookups: dict[str, Any], local: Any) -> None:
    for name in VERIFIED:
        version, result = lookups[name]
        rendered = local.post(f"/v1/prompts/{name}/render", json={"variables": {"name": "Ada"}}).json()
        expected = {
            "digest": version["digest"],
            "rendered": rendered["text"] or rendered["messages"],
            "tools": version["tools"],
        }
        assert result == expected, name
    for name in NOT_VERIFIED:
        assert lookups[name][1] == {"error": "PromptUnavailable", "fallback": "fallback"}, name
