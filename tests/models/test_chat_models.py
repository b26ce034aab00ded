import importlib.util
import subprocess
import sys
import threading
from typing import Any

import pytest
from langchain_core.language_models import FakeListChatModel
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage
from langchain_openai import ChatOpenAI

from promptuary.core.errors import InvalidRequest, Unavailable
from promptuary.core.settings import Settings
from promptuary.models.chat_models import PROVIDERS, ChatModels, model_name_error, provider_arguments
from promptuary.models.local_server import LocalServer


class ServerStarter:
    """Counts how often a server is started, and whether it was closed."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self.servers: list[LocalServer] = []

    def start(self, name: str, settings: Settings) -> LocalServer:
        self.started.append(name)
        self.servers.append(LocalServer(type("Native", (), {"listening_address": "http://127.0.0.1:9"})(), "secret"))
        return self.servers[-1]


@pytest.fixture
def settings() -> Settings:
    return Settings(case_timeout=7)


@pytest.mark.parametrize("name", ["local:smollm2", "echo:", "echo:any", "openai:gpt-4o-mini", "ollama:llama3.2:1b"])
def test_a_provider_and_its_model_make_a_name(name: str) -> None:
    assert model_name_error(name) is None


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("", "not of the form"),
        ("smollm2", "not of the form"),
        (":x", "not of the form"),
        ("openai:", "not of the form"),
        ("openai: x", "not of the form"),
        ("openai:x\n", "not of the form"),
        ("local:gpt", "not a local model; known are smollm2"),
        ("huggingface:evil/weights", "not a known provider"),
        ("litellm:x", "not a known provider"),
        ("OpenAI:x", "not a known provider"),
    ],
)
def test_other_names_are_refused_with_the_known_ones(name: str, words: str, settings: Settings) -> None:
    assert words in (model_name_error(name) or "")
    with pytest.raises(InvalidRequest) as raised:
        ChatModels(settings).check(name)
    assert raised.value.field_errors[0].path == "model"
    with pytest.raises(InvalidRequest):
        ChatModels(settings).chat(name, {})


def test_a_missing_package_is_named_with_the_install_command(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name.startswith(("langchain_", "xll")) else real(name)
    )
    with pytest.raises(InvalidRequest, match="pip install langchain-anthropic"):
        ChatModels(settings).check("anthropic:claude-sonnet-4-5")
    with pytest.raises(InvalidRequest, match=r"pip install 'promptuary\[local\]'"):
        ChatModels(settings).check("local:smollm2")


def test_a_check_starts_nothing(settings: Settings) -> None:
    starter = ServerStarter()
    models = ChatModels(settings, starter.start)
    models.check("local:smollm2")
    models.check("echo:")
    assert starter.started == []


def test_an_unknown_setting_is_refused_so_no_request_chooses_the_address(settings: Settings) -> None:
    with pytest.raises(InvalidRequest) as raised:
        ChatModels(settings).chat(
            "openai:gpt-4o-mini", {"base_url": "http://169.254.169.254", "temperature": 0, "api_key": "x"}
        )
    assert [error.path for error in raised.value.field_errors] == ["model.api_key", "model.base_url"]


def test_a_provider_without_its_key_is_unavailable_with_the_reason(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_ADMIN_KEY", raising=False)
    with pytest.raises(Unavailable, match="'openai:gpt-4o-mini' cannot be set up: Missing credentials"):
        ChatModels(settings).chat("openai:gpt-4o-mini", {})


def test_a_provider_is_set_up_with_the_prompts_settings(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    settings_of_the_prompt = {"temperature": 0.5, "max_tokens": 9, "top_p": 0.9, "seed": 3, "stop": ["END"]}
    chat: Any = ChatModels(settings).chat("openai:gpt-4o-mini", {**settings_of_the_prompt})
    assert isinstance(chat, ChatOpenAI)
    assert {name: getattr(chat, name) for name in settings_of_the_prompt} == settings_of_the_prompt
    assert (chat.model_name, chat.request_timeout, chat.max_retries) == ("gpt-4o-mini", 7, 0)


def test_settings_of_some_providers_are_passed_to_those(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    special = {"frequency_penalty": 0.5, "presence_penalty": 0.25, "reasoning_effort": "low"}
    chat: Any = ChatModels(settings).chat("openai:gpt-4o-mini", {**special, "top_k": 40, "seed": 1})
    assert {name: getattr(chat, name) for name in special} == special
    assert (chat.extra_body, chat.seed, chat.model_kwargs) == ({"top_k": 40}, 1, {})
    with ChatModels(settings, ServerStarter().start) as models:
        local: Any = models.chat("local:smollm2", {"top_k": 40, "temperature": 0})
    assert (local.extra_body, local.temperature) == ({"top_k": 40}, 0)


def test_a_setting_that_a_provider_lacks_is_refused() -> None:
    class Chat(FakeListChatModel):
        top_k: int = 0

    assert provider_arguments("other:a", Chat, {"top_k": 3}) == {"top_k": 3}
    with pytest.raises(InvalidRequest) as refused:
        provider_arguments("other:a", Chat, {"top_k": 3, "frequency_penalty": 1.0})
    assert [error.path for error in refused.value.field_errors] == ["config.frequency_penalty"]
    assert "no setting of 'other:a'" in refused.value.field_errors[0].message


def test_the_local_model_is_reached_by_its_own_key_and_address(settings: Settings) -> None:
    with ChatModels(settings, ServerStarter().start) as models:
        chat: Any = models.chat("local:smollm2", {"temperature": 0, "max_tokens": 16, "seed": None})
    assert (chat.openai_api_base, chat.openai_api_key.get_secret_value()) == ("http://127.0.0.1:9/v1", "secret")
    assert (chat.model_name, chat.temperature, chat.max_tokens, chat.seed, chat.max_retries) == ("smollm2", 0, 16, None, 0)


def test_the_local_server_starts_once_for_all_threads(settings: Settings) -> None:
    starter = ServerStarter()
    models = ChatModels(settings, starter.start)
    ready = threading.Barrier(8)

    def ask(number: int) -> None:
        ready.wait()
        models.chat("local:smollm2", {"max_tokens": 1 + number % 2})

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert starter.started == ["smollm2"]
    models.close()
    models.close()
    models.chat("local:smollm2", {})
    assert starter.started == ["smollm2", "smollm2"]


def test_the_same_name_and_settings_return_one_model_until_the_close(settings: Settings) -> None:
    models = ChatModels(settings, ServerStarter().start)
    chat = models.chat("local:smollm2", {"temperature": 0})
    assert models.chat("local:smollm2", {"temperature": 0, "seed": None}) is chat
    assert models.chat("local:smollm2", {"temperature": 1}) is not chat
    models.close()
    assert models.chat("local:smollm2", {"temperature": 0}) is not chat


@pytest.mark.parametrize(
    ("messages", "reply"),
    [
        ([("user", "one"), ("assistant", "two"), ("user", "three")], "three"),
        ([HumanMessage("first"), AIMessage("last")], "first"),
        ([SystemMessage("nobody speaks")], ""),
        ([("user", "{{not}} {a} template")], "{{not}} {a} template"),
    ],
)
def test_the_echo_model_replies_with_the_last_user_message(settings: Settings, messages: list[Any], reply: str) -> None:
    chat = ChatModels(settings).chat("echo:", {"temperature": 0})
    assert chat.invoke(messages).content == reply


@pytest.mark.parametrize("name", sorted(PROVIDERS))
def test_the_providers_are_langchains_own(name: str) -> None:
    from langchain.chat_models import base

    assert base._BUILTIN_PROVIDERS[name][0] == PROVIDERS[name]


def test_the_names_can_be_checked_without_a_heavy_import() -> None:
    script = (
        "import sys; import promptuary.evaluation.suites.suite, promptuary.evaluation.scorers.catalog;"
        "heavy = {'langchain', 'langchain_core', 'openai', 'numpy', 'xllamacpp', 're2', 'rapidfuzz', 'torch'};"
        "sys.exit(', '.join(heavy & sys.modules.keys()) or None)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
