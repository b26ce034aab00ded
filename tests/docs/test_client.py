"""docs/client.md agrees with the code: its options, its examples, its names."""

import inspect
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import promptuary.client
from cli.conftest import restored_process_state, serving, unit_of_work_on
from client.loopback_server import Server, lookup_body, send
from paths import ROOT
from promptuary import AsyncPromptuary, Promptuary
from promptuary.access.role import Role
from promptuary.access.service import AccessService
from promptuary.client import Reason, Source
from promptuary.client.bundle import FORMAT
from promptuary.prompt.content import Content
from promptuary.registry.service import Registry

TEXT = (ROOT / "docs" / "client.md").read_text(encoding="utf-8")
WRITING = "Writing, listing and searching"


def section(title: str) -> str:
    return re.split(r"(?m)^## ", TEXT.split(f"## {title}\n")[1])[0]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Server]:
    server = Server()
    monkeypatch.setenv("PROMPTUARY_URL", server.url)
    monkeypatch.setenv("PROMPTUARY_CACHE_DIR", str(tmp_path))
    yield server
    server.kill()


@pytest.mark.parametrize("kind", [Promptuary, AsyncPromptuary])
def test_the_options_are_those_of_both_clients(kind: Any) -> None:
    documented = dict(re.findall(r"(?m)^\| `(\w+)` \| `([^`]+)` \|", section("Options")))
    assert documented == {name: repr(option.default) for name, option in inspect.signature(kind).parameters.items()}


def test_every_source_and_every_reason_is_named() -> None:
    assert set(re.findall(r"(?m)^\| `(\w+)`", section("Where an answer comes from"))) - {"source"} == set(Source)
    reasons = TEXT.split("`PromptUnavailable.reason`")[1].split("\n\n")[0]
    assert set(re.findall(r"`([a-z_]+)`", reasons)) == set(Reason)


def test_every_error_that_is_named_is_one() -> None:
    named = set(re.findall(r"`(\w+(?:Unavailable|NotFound|Refused))`", TEXT))
    assert named == {"PromptUnavailable", "PromptNotFound", "KeyRefused", "RequestRefused"}
    assert named <= set(promptuary.client.__all__)


def test_the_bundles_format_is_the_one_that_is_read() -> None:
    (example,) = re.findall(r"```json\n(.*?)```", TEXT, re.S)
    assert json.loads(example)["format"] == FORMAT


@pytest.mark.model
@pytest.mark.process
def test_the_example_of_writing_runs_on_a_service(tmp_path: Path, migrated_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    shutil.copy(migrated_file, folder)
    with unit_of_work_on(folder) as unit:
        Registry(unit).register("support.triage", Content(type="text", template="{{ticket}}"), tags=("support",))
        _, key = AccessService(unit).create_key("application", Role.AUTHOR)
    (example,) = re.findall(r"```python\n(.*?)```", section(WRITING), re.S)
    example = example.replace('intent")', 'intent", deadline=300)')  # the model is loaded first, on a slow machine for long
    names: dict[str, Any] = {"Promptuary": Promptuary, "print": lambda *_: None}
    with restored_process_state(), serving(folder) as url:
        monkeypatch.setenv("PROMPTUARY_URL", url)
        monkeypatch.setenv("PROMPTUARY_API_KEY", str(key))
        exec(compile(example, "docs/client.md", "exec"), names)
        names["client"].close()
    assert (names["registered"].version, names["registered"].created) == (2, True)
    assert names["summary"].labels == {"production": 2}
    assert names["match"].name == "support.triage"


def test_the_examples_run(server: Server) -> None:
    from langchain_core.language_models import FakeListChatModel

    photo = {"type": "image_url", "image_url": {"url": "{{photo}}"}}
    chat = [{"role": "placeholder", "name": "history"}, {"role": "user", "content": [photo]}]
    bodies = {"support.agent": lookup_body(chat, name="support.agent")}
    server.reply = lambda handler: send(200, next((bodies[name] for name in bodies if name in handler.path), lookup_body()))(
        handler
    )
    names: dict[str, Any] = {"model": FakeListChatModel(responses=["card_arrival"]), "print": lambda *_: None}
    for example in re.findall(r"```python\n(.*?)```", TEXT.replace(section(WRITING), ""), re.S):
        exec(compile(example, "docs/client.md", "exec"), names)
    assert names["text"] == "Sort: My card has not come"
    call = {"id": "call_1", "type": "function", "function": {"name": "find_order", "arguments": '{"order": 7}'}}
    assert names["messages"][1] == {"role": "assistant", "content": None, "tool_calls": [call]}
    assert names["messages"][-1]["content"] == [{**photo, "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}]
    assert names["counted"] == {(Source.SERVER, None): 1}
