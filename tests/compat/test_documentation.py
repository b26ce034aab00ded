"""The examples of docs/compatibility.md work against a listening service."""

import re
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from compat.sdk_service import settle
from paths import ROOT

PAGE = (ROOT / "docs" / "compatibility.md").read_text()


def section(title: str) -> str:
    """Return a section of the page."""
    match = re.search(rf"(?ms)^## {title}\n(.*?)(?=^## |\Z)", PAGE)
    assert match is not None
    return match.group(1)


def test_the_page_names_every_key_that_is_kept() -> None:
    from promptuary.compat.langfuse.schemas import MODEL_KEYS, PART_KEYS
    from promptuary.compat.mlflow.tags import _SETTINGS, NOT_RENDERABLE, PROMPTUARY_TAGS

    for key in (*MODEL_KEYS, *PART_KEYS):
        assert f"`{key}`" in section("Langfuse")
    for key in (*_SETTINGS, *PROMPTUARY_TAGS, NOT_RENDERABLE):
        assert f"`{key}`" in section("MLflow")


@pytest.mark.parametrize(
    ("title", "printed"),
    [
        ("Langfuse", ["Write to Ann. {'model': 'openai:gpt-4o', 'temperature': 0.2}"]),
        (
            "MLflow",
            [
                "Say goodbye to Ann. {'provider': 'openai', 'model_name': 'gpt-4o', 'temperature': 0.2}",
                "['mail.farewell']",
            ],
        ),
    ],
)
def test_what_the_page_shows_works_as_it_stands(
    service: Any,
    key: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    title: str,
    printed: list[str],
) -> None:
    text = section(title)
    variables = dict(re.findall(r"(?m)^export (\w+)=(.*)$", text))
    if title == "Langfuse":
        variables["LANGFUSE_PUBLIC_KEY"] += f"-{uuid.uuid4()}"  # the SDK keeps one client for each
    else:
        variables |= {"MLFLOW_DISABLE_TELEMETRY": "true"}
    for name, value in variables.items():
        replaced = value.replace("http://127.0.0.1:8400", service.url)
        monkeypatch.setenv(name, key("author") if replaced == "pmt_…" else replaced)
    (example,) = re.findall(r"```python\n(.*?)```", text, re.S)
    names: dict[str, Any] = {}
    exec(compile(example, f"{title} in compatibility.md", "exec"), names)
    settle()
    if title == "Langfuse":
        names["langfuse"].shutdown()
        names["langfuse"]._resources.httpx_client.close()
    assert capsys.readouterr().out.splitlines() == printed


@pytest.mark.parametrize(
    ("title", "printed"),
    [("LangSmith", "Write to Ann."), ("Phoenix", "[{'role': 'user', 'content': 'Write to Ann.'}]")],
)
def test_what_the_page_shows_of_reading_works_as_it_stands(
    service: Any,
    key: Callable[..., str],
    register: Callable[..., int],
    capsys: pytest.CaptureFixture[str],
    title: str,
    printed: str,
) -> None:
    register("mail.greeting", "Write to {{name}}.", labels=["production"])
    (example,) = re.findall(r"```python\n(.*?)```", section(title), re.S)
    example = example.replace("http://127.0.0.1:8400", service.url).replace("pmt_…", key("reader"))
    exec(compile(example, f"{title} in compatibility.md", "exec"), {})
    assert capsys.readouterr().out.splitlines() == [printed]


def test_the_page_states_the_names_rule_with_an_example_that_holds() -> None:
    from promptuary.prompt.name import fold_name

    given_name, name = re.findall(r"`(Support/[^`]+)` lives as `([^`]+)`", section("Names"))[0]
    assert fold_name(given_name) == name
