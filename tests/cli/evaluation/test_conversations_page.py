"""The page on conversations: its suites run, with a model and an application on loopback."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cli.conftest import Run
from doubles.application import LoopbackApplication, as_json, serve_application
from doubles.stub_model import Reaction, StubModelServer
from paths import ROOT

PAGE = (ROOT / "docs" / "conversations.md").read_text(encoding="utf-8")
BLOCKS = {form: re.findall(rf"```{form}\n(.*?)```", PAGE, re.S) for form in ("yaml", "json")}
PROMPT, DESK, BOT = BLOCKS["yaml"]
CASES, SMALL_TALK = BLOCKS["json"]
pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def app() -> Iterator[LoopbackApplication]:
    with serve_application() as application:
        application.fixed["/chat"] = [as_json({"answer": "This is my turn."})]
        yield application


@pytest.fixture
def folder(tmp_path: Path, app: LoopbackApplication, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the files of the page."""
    monkeypatch.setenv("DESK_URL", app.url)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    monkeypatch.setenv("PROMPTUARY_MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    (tmp_path / "prompts").mkdir()
    files = {"prompts/desk.yaml": PROMPT, "desk.yaml": DESK, "bot.yaml": BOT}
    files |= {"conversations.json": CASES, "small-talk.json": SMALL_TALK}
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def run_page(run: Run, folder: Path, suite: str, *options: Any) -> tuple[dict[str, Any], int]:
    result = run("eval", "run", folder / suite, *options, "--json", folder / "run.json", "--html", folder / "run.html")
    assert result.code in (0, 1, 2), result.err
    report: dict[str, Any] = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    return report, result.code


def test_the_conversation_of_the_page_runs_without_its_tools(folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    server = StubModelServer()
    server.script.extend(
        [
            Reaction(tool_calls=[{"name": "get_order", "args": {"id": 7}}]),
            Reaction(text="It was shipped on Monday."),
            Reaction(text="I ask a colleague."),
        ]
    )
    with server.listening() as url:
        monkeypatch.setenv("OPENAI_BASE_URL", url)
        report, _ = run_page(run, folder, "desk.yaml", "--prompts", folder / "prompts")

    (result,) = report["results"]
    assert (result["pass"], result["error"], result["output"]) == (True, None, "I ask a colleague.")
    assert result["metrics"] == {"short": 1.0, "few calls": 1.0, "right": 1.0, "careful": 1.0}
    assert [message["role"] for message in server.bodies[1]["messages"]] == ["system", "user", "assistant", "tool"]
    assert json.loads(server.bodies[1]["messages"][3]["content"]) == {"status": "shipped", "day": "Monday"}
    assert [message["role"] for message in server.bodies[2]["messages"]][-2:] == ["assistant", "user"]
    assert [turn["pass"] for turn in result["turns"]] == [True, True]
    assert "Then I want my money back." in (folder / "run.html").read_text(encoding="utf-8")


def test_the_application_of_the_page_gets_the_conversation(folder: Path, run: Run, app: LoopbackApplication) -> None:
    report, code = run_page(run, folder, "bot.yaml")

    assert code == 0
    assert [result["pass"] for result in report["results"]] == [True]
    bodies = [request["json"] for request in app.requests if request["path"] == "/chat"]
    assert bodies[0]["messages"] == [{"role": "user", "content": "Hello"}]
    assert bodies[1]["messages"][1:] == [
        {"role": "assistant", "content": "This is my turn."},
        {"role": "user", "content": "How are you?"},
    ]
    assert len({body["session"] for body in bodies}) == 1
