"""MLflow's own prompt API against the service."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from compat.sdk_service import Service, settle
from promptuary.core.errors import DatabaseBusy

pytestmark = pytest.mark.process

As = Callable[..., Any]


@pytest.fixture
def genai(service: Service, key: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> Iterator[As]:
    """Give `mlflow.genai` with a key of the role: `genai("reader").load_prompt(…)`."""
    for name, value in {
        "MLFLOW_TRACKING_URI": service.url,
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    }.items():
        monkeypatch.setenv(name, value)
    for name in ("MLFLOW_REGISTRY_URI", "MLFLOW_EXPERIMENT_ID", "MLFLOW_EXPERIMENT_NAME", "MLFLOW_TRACKING_USERNAME"):
        monkeypatch.delenv(name, raising=False)
    import mlflow.genai

    def acting(role: str = "author", secret: str | None = None) -> Any:
        settle()
        monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", secret or key(role))
        return mlflow.genai

    yield acting
    settle()


@pytest.fixture
def refused() -> Callable[..., Any]:
    """Expect MLflow's exception with a code."""
    from mlflow.exceptions import MlflowException

    @contextmanager
    def expect(code: str, words: str = "") -> Iterator[None]:
        with pytest.raises(MlflowException) as raised:
            yield
        assert raised.value.error_code == code
        assert words in str(raised.value)

    return expect


def own_tags(api: Any) -> dict[str, str]:
    """Return the tags of the prompt `a` without MLflow's note about the experiments that loaded it."""
    settle()
    return {key: value for key, value in api.get_prompt_tags("a").items() if key != "_mlflow_experiment_ids"}


def test_a_prompt_is_registered_labelled_and_loaded(genai: As, service: Service, local: Any) -> None:
    config = {"provider": "openai", "model_name": "gpt-4o", "temperature": 0.5, "stop_sequences": ["x"], "seed": 7}
    schema = {"type": "object"}
    author = genai("author")
    registered = author.register_prompt(
        "support.triage",
        "Hi {{ name }}!",
        commit_message="first",
        tags={"team": "support", "urgent": ""},
        model_config=config,
        response_format=schema,
    )
    author.set_prompt_alias("support.triage", alias="production", version=1)
    loaded = genai("reader").load_prompt("prompts:/support.triage@production", cache_ttl_seconds=0)
    for version in (registered, loaded):
        assert (version.name, version.version, version.template, version.commit_message) == (
            "support.triage",
            1,
            "Hi {{ name }}!",
            "first",
        )
        assert (version.model_config, version.response_format) == (config, schema)
        assert version.tags == {"team": "support", "urgent": ""}
    assert (registered.aliases, loaded.aliases) == ([], ["production"])
    assert loaded.format(name="Ann") == "Hi Ann!"
    fetched = local.get("/v1/prompts/support.triage").json()
    assert (fetched["config"], fetched["tags"]) == (config, ["team=support", "urgent"])
    settle()
    assert [line.partition("?")[0] for line in service.requests[-5:]] == [
        "GET /api/2.0/mlflow/registered-models/get",
        "GET /api/2.0/mlflow/registered-models/alias",
        "GET /api/2.0/mlflow/registered-models/get",
        "GET /api/2.0/mlflow/model-versions/get",
        "GET /api/2.0/mlflow/registered-models/get",  # notes the experiment where it is not noted yet
    ]


def test_a_chat_prompt_is_registered_over_a_text_and_both_stay(genai: As) -> None:
    author = genai()
    author.register_prompt("a", "Hi {{name}}")
    chat = [{"role": "system", "content": "Be {{style}}"}, {"role": "user", "content": "{{question}}"}]
    author.register_prompt("a", chat, tags={"team": "b"})
    assert author.load_prompt("a").template == chat
    assert author.load_prompt("a", version=2, cache_ttl_seconds=0).format(style="brief", question="Why?") == [
        {"role": "system", "content": "Be brief"},
        {"role": "user", "content": "Why?"},
    ]
    assert author.load_prompt("a", version=1, cache_ttl_seconds=0).template == "Hi {{name}}"
    assert own_tags(author) == {"team": "b"}


def test_messages_of_agents_and_parts_are_registered_and_loaded_whole(genai: As, refused: Any, register: Any) -> None:
    author = genai()
    call = {"id": "call_1", "type": "function", "function": {"name": "find", "arguments": '{"order": "{{order}}"}'}}
    chat = [
        {"role": "developer", "content": "Be {{style}}"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "content": "found", "tool_call_id": "call_1"},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "{{question}}"},
                {"type": "image_url", "image_url": {"url": "https://img.example/{{order}}.png", "detail": "low"}},
                {"type": "input_audio", "input_audio": {"data": "{{audio}}", "format": "wav"}},
            ],
        },
    ]
    author.register_prompt("a", chat)
    loaded = author.load_prompt("a", version=1, cache_ttl_seconds=0)
    assert loaded.template == chat
    assert loaded.variables == {"style", "order", "question", "audio"}
    register("b", [{"role": "user", "content": [{"type": "file", "file": {"file_id": "file-1"}}]}])
    with refused("RESOURCE_CONFLICT", "its message 0 has a file, for which the SDK has no part"):
        author.load_prompt("b", version=1, allow_missing=True, cache_ttl_seconds=0)


def test_what_is_not_there_is_told_or_none_where_it_may_be_missing(genai: As, refused: Any, register: Any) -> None:
    register("a", "x")
    reader = genai("reader")
    for uri in ("prompts:/nobody@production", "prompts:/a@production", "prompts:/a/2", "prompts:/Nobody@production"):
        with refused("RESOURCE_DOES_NOT_EXIST"):
            reader.load_prompt(uri, cache_ttl_seconds=0)
        assert reader.load_prompt(uri, allow_missing=True, cache_ttl_seconds=0) is None


def test_keys_and_roles_hold_for_the_sdk_too(genai: As, refused: Any, register: Any, local: Any, key: Any) -> None:
    register("a", "x", labels=["production"])
    with refused("UNAUTHENTICATED", "the key is not valid"):
        genai(secret="pmt_nobody").load_prompt("a", cache_ttl_seconds=0)
    with refused("PERMISSION_DENIED", "the scope 'prompt:write'"):
        genai("reader").register_prompt("a", "y")
    with refused("PERMISSION_DENIED", "the scope 'label:move'"):
        genai("ci").set_prompt_alias("a", alias="production", version=1)
    with refused("RESOURCE_DOES_NOT_EXIST"):
        genai(secret=key("admin", "another")).load_prompt("a", cache_ttl_seconds=0)
    assert len(local.get("/v1/prompts/a/versions").json()["items"]) == 1


def test_the_key_is_taken_as_a_password_too(
    genai: As, register: Any, monkeypatch: pytest.MonkeyPatch, key: Callable[..., str]
) -> None:
    register("a", "x")
    reader = genai("reader")
    monkeypatch.delenv("MLFLOW_TRACKING_TOKEN")
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "any")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", key("reader"))
    assert reader.load_prompt("a", version=1, cache_ttl_seconds=0).template == "x"
    settle()


REFUSED: list[tuple[Any, dict[str, Any], str]] = [
    ("{{> b}}", {}, "{{> b}}"),
    ("{% if a %}x{% endif %}", {}, "jinja2"),
    ("x", {"tags": {"a=b": "c"}}, "a=b: is not a valid key"),
    ("x", {"tags": {"a": "x" * 200}}, "a: is over the limit of 200 characters"),
    ([{"role": "robot", "content": "x"}], {}, "template.0.role"),
]


def test_what_cannot_be_kept_is_refused_with_its_reason_and_nothing_is_left(genai: As, refused: Any, local: Any) -> None:
    """The SDK makes the prompt first, and takes it back when its first version is refused."""
    author = genai()
    for template, more, words in REFUSED:
        with refused("INVALID_PARAMETER_VALUE", words):
            author.register_prompt("a", template, **more)
    assert local.get("/v1/prompts").json()["items"] == []


def test_a_name_that_is_none_of_ours_is_refused(genai: As, refused: Any) -> None:
    with refused("INVALID_PARAMETER_VALUE", "a name has 1 to 255 characters"):
        genai().register_prompt("...", "x")


def test_a_name_is_kept_as_mlflow_gave_it(genai: As, register: Any) -> None:
    author = genai()
    author.register_prompt("Support_Triage", "x", tags={"team": "b"})
    loaded = author.load_prompt("Support_Triage", version=1, cache_ttl_seconds=0)
    assert (loaded.name, [prompt.name for prompt in author.search_prompts()]) == ("Support_Triage", ["Support_Triage"])
    register("other.name", "y", labels=["production"])
    assert author.load_prompt("prompts:/Other.Name@production", cache_ttl_seconds=0).template == "y"


def test_braces_are_text_to_mlflow(genai: As) -> None:
    author = genai()
    text = 'Hi, {title} {{name}}! {"key": {{ user.name }}} {{"a": 1}} {{'
    author.register_prompt("a", text)
    author.register_prompt("a", text)
    loaded = author.load_prompt("a", version=2, cache_ttl_seconds=0)
    assert loaded.template == text
    assert loaded.format(name="Ann", **{"user.name": "Bo"}) == text.replace("{{name}}", "Ann").replace("{{ user.name }}", "Bo")


def test_an_empty_list_of_messages_is_a_text_as_on_mlflows_server(genai: As) -> None:
    author = genai()
    author.register_prompt("a", [])
    loaded = author.load_prompt("a", version=1, cache_ttl_seconds=0)
    assert (loaded.is_text_prompt, loaded.template) == (True, "[]")


def test_tags_of_prompts_and_versions_are_set_and_deleted(genai: As) -> None:
    author = genai()
    author.register_prompt("a", "x", tags={"first": "yes"})
    assert own_tags(author) == {"first": "yes"}
    author.set_prompt_tag("a", "env", "prod")
    author.set_prompt_version_tag("a", 1, "env", "dev")
    assert own_tags(author) == {"first": "yes", "env": "prod"}
    assert author.load_prompt("a", version=1, cache_ttl_seconds=0).tags == {"first": "yes", "env": "dev"}
    author.delete_prompt_tag("a", "env")
    author.delete_prompt_version_tag("a", 1, "first")
    assert own_tags(author) == {"first": "yes"}
    assert author.load_prompt("a", version=1, cache_ttl_seconds=0).tags == {"env": "dev"}


def test_what_would_change_a_version_or_lose_one_is_refused(genai: As, refused: Any, register: Any) -> None:
    from mlflow import MlflowClient

    register("a", "x", labels=["production"], tags=["team=b"])
    author = genai()
    for change in (
        lambda: author.set_prompt_model_config("a", 1, {"model_name": "m"}),
        lambda: author.delete_prompt_model_config("a", 1),
        lambda: author.set_prompt_alias("a", alias="latest", version=1),
        lambda: MlflowClient().delete_prompt_version("a", "1"),
        lambda: MlflowClient().delete_prompt("a"),
    ):
        with refused("INVALID_PARAMETER_VALUE"):
            change()
    author.set_prompt_alias("a", alias="gone", version=1)
    author.delete_prompt_alias("a", "gone")
    with refused("RESOURCE_DOES_NOT_EXIST"):
        author.load_prompt("prompts:/a@gone", cache_ttl_seconds=0)
    assert author.load_prompt("prompts:/a@production", cache_ttl_seconds=0).tags == {"team": "b"}


def test_a_prompts_own_tag_is_taken_from_who_may_write(genai: As, refused: Any, register: Any) -> None:
    register("a", "x")
    genai("author").set_prompt_tag("a", "team", "b")
    assert own_tags(genai("reader")) == {"team": "b"}
    with refused("PERMISSION_DENIED"):
        genai("reader").set_prompt_tag("a", "team", "b")


def test_prompts_are_searched_by_the_experiment_that_loaded_them(genai: As, register: Any) -> None:
    for name in ("a", "b"):
        register(name, "x")
    genai("reader").load_prompt("b", version=1, cache_ttl_seconds=0)
    author = genai("author")
    author.load_prompt("a", version=1, cache_ttl_seconds=0)
    settle()
    assert [prompt.name for prompt in author.search_prompts("experiment_id = '0'")] == ["a"]


def test_a_name_that_is_taken_is_told_so(genai: As, refused: Any, register: Any) -> None:
    from mlflow import MlflowClient

    register("a", "x")
    genai()
    with refused("RESOURCE_ALREADY_EXISTS", "there is a prompt 'a' already"):
        MlflowClient().create_prompt("a")


def test_prompts_and_versions_are_searched_in_pages(genai: As, register: Any) -> None:
    from mlflow import MlflowClient

    for name in ("support.a", "support.b", "other"):
        register(name, f"of {name}", tags=["team=x"] if name == "other" else [], message=f"made {name}")
    register("support.b", "newer")
    reader = genai("viewer")
    assert [prompt.name for prompt in reader.search_prompts()] == ["other", "support.a", "support.b"]
    assert [prompt.name for prompt in reader.search_prompts("name LIKE 'support%'")] == ["support.a", "support.b"]
    assert [prompt.name for prompt in reader.search_prompts("name = 'support.b'")] == ["support.b"]
    assert [(prompt.name, prompt.tags) for prompt in reader.search_prompts("tags.team = 'x'")] == [("other", {"team": "x"})]
    client = MlflowClient()
    first = client.search_prompts(max_results=2)
    assert [prompt.name for prompt in first] == ["other", "support.a"]
    (last,) = client.search_prompts(max_results=2, page_token=first.token)
    assert (last.name, last.description) == ("support.b", "made support.b")
    assert [(fetched.version, fetched.template) for fetched in client.search_prompt_versions("support.b")] == [
        (2, "newer"),
        (1, "of support.b"),
    ]
    assert client.search_prompt_versions("support.b", max_results=1).token


def test_a_version_that_the_sdk_cannot_format_is_listed_with_the_reason(genai: As, refused: Any, register: Any) -> None:
    from mlflow import MlflowClient

    register("a", "plain")
    register("a", [{"role": "placeholder", "name": "history"}, {"role": "user", "content": "x"}])
    reader = genai("viewer")
    newest, oldest = MlflowClient().search_prompt_versions("a")
    assert "it has the placeholder 'history'" in newest.tags["promptuary.refused"]
    assert (oldest.template, oldest.tags) == ("plain", {})
    with refused("RESOURCE_CONFLICT", "MLflow's SDK cannot render version 2 of 'a'"):
        reader.load_prompt("a", version=2, allow_missing=True, cache_ttl_seconds=0)


def test_parts_that_mlflow_has_no_place_for_come_as_tags_and_are_taken_back(genai: As, register: Any, local: Any) -> None:
    parts = {"tools": [{"name": "f"}], "variables": {"name": {"type": "string", "maxLength": 9}}, "model": {"name": "plain"}}
    register("a", "Hi {{name}}", **parts)
    author = genai()
    loaded = author.load_prompt("a", version=1, cache_ttl_seconds=0)
    assert loaded.model_config == {"model_name": "plain"}
    author.register_prompt("b", loaded.template, tags=loaded.tags, model_config=loaded.model_config)
    version, other = (local.get(f"/v1/prompts/{name}/versions/1").json() for name in ("a", "b"))
    assert (version["tools"], version["variables"]) == (other["tools"], other["variables"])
    assert other["config"] == {"model_name": "plain"}


def test_a_version_overrides_what_its_model_config_has_for_the_same(genai: As, register: Any, local: Any) -> None:
    config = {
        "model": "claude-x",
        "provider": "anthropic",
        "max_completion_tokens": 9,
        "stop": "old",
        "tools": [{"name": "old"}],
    }
    config["extra_params"] = {"max_tokens": 9, "own": True}
    model = {"name": "gpt-4o", "max_tokens": 4, "stop": ["x"]}
    register("a", "x", model=model, config=config, tools=[{"name": "new"}])
    author = genai()
    loaded = author.load_prompt("a", version=1, cache_ttl_seconds=0)
    assert loaded.model_config == {
        "model_name": "gpt-4o",
        "max_tokens": 4,
        "stop_sequences": ["x"],
        "tools": [{"name": "new"}],
        "extra_params": {"own": True},
    }


def test_the_sdk_waits_for_a_locked_database_as_long_as_retry_after(
    genai: As, refused: Any, register: Any, monkeypatch: pytest.MonkeyPatch, service: Service
) -> None:
    """Without `Retry-After` it waits 2, 4, 8 … seconds: some four minutes by its own settings."""
    from urllib3.util import retry

    from promptuary.registry.service import Registry

    def database_busy(*_args: Any, **_kwargs: Any) -> None:
        raise DatabaseBusy("the database is held by other writers; try again")

    register("a", "x")
    waits: list[float] = []
    monkeypatch.setattr(retry, "time", SimpleNamespace(sleep=waits.append, time=retry.time.time))
    monkeypatch.setattr(Registry, "version", database_busy)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")
    with refused("INTERNAL_ERROR", "too many 503 error responses"):
        genai("reader").load_prompt("a", version=1, cache_ttl_seconds=0)
    assert waits == [1, 1, 1]
    assert [line.rpartition(" ")[2] for line in service.requests] == ["200"] + ["503"] * 4  # the prompt, then its version
