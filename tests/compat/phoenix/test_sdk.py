"""Phoenix's own client against the service: prompts are got, and not created."""

from collections.abc import Callable
from typing import Any

import pytest

from compat.sdk_service import Service

pytestmark = pytest.mark.process

Connect = Callable[..., Any]


@pytest.fixture
def connect(service: Service, key: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> Connect:
    """Make clients by a key's role, or with a key as it is."""
    from phoenix.client import Client

    for name in ("PHOENIX_API_KEY", "PHOENIX_CLIENT_HEADERS", "PHOENIX_COLLECTOR_ENDPOINT", "PHOENIX_HOST"):
        monkeypatch.delenv(name, raising=False)

    def make(role: str = "reader", api_key: str | None = None) -> Any:
        return Client(base_url=f"{service.url}/phoenix", api_key=api_key or key(role))

    return make


def messages_of(prompt: Any, **variables: str) -> list[tuple[str, str]]:
    """Return the formatted messages of a prompt, in OpenAI's form."""
    formatted = prompt.format(variables=variables, sdk="openai")
    return [(message["role"], message["content"]) for message in formatted.messages]


def test_a_text_is_a_chat_of_one_message(connect: Connect, register: Callable[..., int]) -> None:
    register("greet", 'Hi {{ name }}! {"json": 1} {single}', message="first")
    prompt = connect().prompts.get(prompt_identifier="greet")
    assert messages_of(prompt, name="Ann") == [("user", 'Hi Ann! {"json": 1} {single}')]


def test_a_chat_comes_with_its_model_settings_tools_and_schema(connect: Connect, register: Callable[..., int]) -> None:
    chat = [{"role": "system", "content": "Sort into {{intents}}"}, {"role": "user", "content": "{{ticket}}"}]
    schema = {"type": "json_schema", "json_schema": {"name": "answer", "schema": {"type": "object", "properties": {}}}}
    tool = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object", "properties": {}}}}
    register(
        "sort",
        chat,
        labels=["production"],
        model={"name": "openai:gpt-4o", "temperature": 0.2, "stop": ["END"]},
        config={"max_completion_tokens": 10},
        tools=[tool],
        response_format=schema,
    )
    prompt = connect().prompts.get(prompt_identifier="sort", tag="production")
    assert messages_of(prompt, intents="a, b", ticket="My card") == [("system", "Sort into a, b"), ("user", "My card")]
    formatted = dict(prompt.format(variables={"intents": "", "ticket": ""}))
    assert (formatted["model"], formatted["temperature"], formatted["stop"]) == ("gpt-4o", 0.2, ["END"])
    assert formatted["max_tokens"] == 10
    assert formatted["tools"][0]["function"]["name"] == "look_up"
    assert formatted["response_format"]["json_schema"]["name"] == "answer"


def test_a_prompt_for_anthropic_is_formatted_for_it(connect: Connect, register: Callable[..., int]) -> None:
    register("a", [{"role": "user", "content": "Hi {{name}}"}], model={"name": "anthropic:claude-x", "temperature": 1})
    formatted = dict(connect().prompts.get(prompt_identifier="a").format(variables={"name": "Ann"}))
    assert (formatted["model"], formatted["max_tokens"]) == ("claude-x", 1000)
    assert formatted["extra_body"] == {"temperature": 1}


def test_a_version_is_got_by_id_by_tag_or_as_the_newest(connect: Connect, register: Callable[..., int]) -> None:
    for text in ("one", "two", "three"):
        register("a", text, labels=["staging"] if text == "two" else [])
    prompts = connect().prompts
    tagged, newest = prompts.get(prompt_identifier="a", tag="staging"), prompts.get(prompt_identifier="a")
    assert (messages_of(tagged), messages_of(newest)) == ([("user", "two")], [("user", "three")])
    assert messages_of(prompts.get(prompt_version_id=tagged.id)) == [("user", "two")]
    assert [tag["name"] for tag in prompts.tags.list(prompt_version_id=tagged.id)] == ["staging"]


def test_a_split_label_is_got_as_its_first_version(connect: Connect, register: Callable[..., int], local: Any) -> None:
    for text in ("one", "two"):
        register("a", text)
    arms = [{"version": 2, "weight": 10}, {"version": 1, "weight": 90}]
    local.put("/v1/prompts/a/labels/production", json={"split": arms})
    assert messages_of(connect().prompts.get(prompt_identifier="a", tag="production")) == [("user", "two")]


def test_what_is_not_there_is_an_error_that_the_client_knows(
    connect: Connect, register: Callable[..., int], key: Callable[..., str]
) -> None:
    import httpx

    register("a", "x", labels=["production"])
    prompts = connect().prompts
    for selector in (
        {"prompt_identifier": "nobody"},
        {"prompt_identifier": "a", "tag": "staging"},
        {"prompt_version_id": "UHJvbXB0VmVyc2lvbjox"},
        {"prompt_version_id": "version-123"},
        {"prompt_version_id": "UHJvbXB0VmVyc2lvbjphOjk="},
    ):
        with pytest.raises(ValueError, match="Prompt not found"):
            prompts.get(**selector)
    with pytest.raises(ValueError, match="Prompt not found"):
        connect(api_key=key("admin", "another")).prompts.get(prompt_identifier="a")
    with pytest.raises(httpx.HTTPStatusError, match="401"):
        connect(api_key="pmt_nobody").prompts.get(prompt_identifier="a")


@pytest.mark.parametrize("template", ["{{a.b}}", "\\{{c}}", "{{ü}}", "{{1x}} {{c}}"])
def test_a_simple_text_that_phoenix_reads_differently_is_refused(
    connect: Connect, register: Callable[..., int], template: str
) -> None:
    import httpx

    register("a", "Hi {{{name}}}", format="simple")
    assert messages_of(connect().prompts.get(prompt_identifier="a"), name="Ann") == [("user", "Hi {Ann}")]
    register("a", template, format="simple")
    with pytest.raises(httpx.HTTPStatusError) as raised:
        connect().prompts.get(prompt_identifier="a")
    assert raised.value.response.status_code == 409
    assert "Phoenix's client cannot render version 2 of 'a': in its text, " in raised.value.response.json()["detail"]


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ([{"role": "placeholder", "name": "history"}, {"role": "user", "content": "x"}], "it has the placeholder 'history'"),
        ("{{#items}}{{.}}{{/items}}", "it has the section 'items'"),
        ([{"role": "user", "content": [{"type": "text", "text": "x"}]}], "more than a role and a text"),
        ("{{user.name}}", "parsed differently"),
    ],
)
def test_what_phoenix_cannot_express_is_refused_with_the_reason(
    connect: Connect, register: Callable[..., int], template: Any, message: str
) -> None:
    import httpx

    register("a", template)
    with pytest.raises(httpx.HTTPStatusError) as raised:
        connect().prompts.get(prompt_identifier="a")
    assert raised.value.response.status_code == 409
    assert message in raised.value.response.json()["detail"]


def test_an_old_name_is_got(connect: Connect, register: Callable[..., int]) -> None:
    register("movie-critic", "x")
    assert messages_of(connect().prompts.get(prompt_identifier="Movie Critic")) == [("user", "x")]


def test_writing_is_refused_with_the_alternative(connect: Connect, register: Callable[..., int], local: Any) -> None:
    import httpx
    from phoenix.client.types import PromptVersion

    register("a", "x")
    author = connect("author")
    version = PromptVersion([{"role": "user", "content": "Hi"}], model_name="m")
    with pytest.raises(httpx.HTTPStatusError) as raised:
        author.prompts.create(name="a", version=version)
    assert raised.value.response.json() == {
        "detail": "prompts are read here, not written; register a version with POST /v1/prompts/{name}/versions or "
        "`promptuary push`, and move labels with PUT /v1/prompts/{name}/labels/{label}"
    }
    assert [item["newest"] for item in local.get("/v1/prompts").json()["items"]] == [1]


def test_prompts_and_versions_are_listed_over_http(local: Any, register: Callable[..., int]) -> None:
    register("a", "one")
    register("a", "two")
    register("b", "x")
    first = local.get("/phoenix/v1/prompts?limit=1").json()
    rest = local.get("/phoenix/v1/prompts", params={"cursor": first["next_cursor"]}).json()
    assert [prompt["name"] for prompt in first["data"] + rest["data"]] == ["a", "b"]
    versions = local.get("/phoenix/v1/prompts/a/versions").json()["data"]
    assert [version["template"]["messages"][0]["content"] for version in versions] == ["two", "one"]
    assert "tools" not in versions[0]
    register("a", "{{#section}}x{{/section}}")
    local.post("/v1/prompts/a/versions/1/erase", json={"reason": "asked"})
    versions = local.get("/phoenix/v1/prompts/a/versions").json()["data"]
    assert [version["template"]["messages"][0]["content"] for version in versions] == ["two"]
    assert local.get("/phoenix/v1/prompts/a/tags/latest").status_code == 409
