"""LangSmith's own client against the service: prompts are pulled, and not pushed."""

from collections.abc import Callable
from typing import Any

import pytest

from compat.sdk_service import Service

pytestmark = pytest.mark.process

Connect = Callable[..., Any]


@pytest.fixture
def connect(service: Service, key: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> Connect:
    """Make clients by a key's role, or with a key as it is."""
    from langsmith import Client

    for name in ("LANGSMITH_ENDPOINT", "LANGSMITH_API_KEY", "LANGCHAIN_ENDPOINT", "LANGCHAIN_API_KEY", "LANGSMITH_TRACING"):
        monkeypatch.delenv(name, raising=False)

    def make(role: str = "reader", api_key: str | None = None) -> Any:
        return Client(
            api_url=f"{service.url}/langsmith",
            api_key=api_key or key(role),
            auto_batch_tracing=False,
            disable_prompt_cache=True,
        )

    return make


def test_a_text_is_pulled_as_a_prompt_template(connect: Connect, register: Callable[..., int]) -> None:
    register("greet", 'Hi {{name}}! {"json": {{name}} }')
    register("greet", 'Hello {{name}}! {"json": 1} {single}')
    prompt = connect().pull_prompt("greet")
    assert type(prompt).__name__ == "PromptTemplate"
    assert prompt.input_variables == ["name"]
    assert prompt.format(name="<Ann>") == 'Hello <Ann>! {"json": 1} {single}'
    assert (prompt.metadata["lc_hub_owner"], prompt.metadata["lc_hub_repo"]) == ("-", "greet")


def test_a_chat_with_a_placeholder_is_pulled_and_filled_in(connect: Connect, register: Callable[..., int]) -> None:
    chat = [
        {"role": "system", "content": "Sort into {{intents}}"},
        {"role": "placeholder", "name": "history"},
        {"role": "user", "content": "{{ticket}}"},
        {"role": "assistant", "content": "{"},
    ]
    register("sort", chat, labels=["production"], variables={"intents": {"default": "a, b"}})
    prompt = connect().pull_prompt("sort:production")
    filled = prompt.invoke({"ticket": "My card", "history": [("human", "hello")]}).to_messages()
    assert [(message.type, message.content) for message in filled] == [
        ("system", "Sort into a, b"),
        ("human", "hello"),
        ("human", "My card"),
        ("ai", "{"),
    ]


def test_a_message_with_tool_calls_and_parts_is_pulled(connect: Connect, register: Callable[..., int]) -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "look_up", "arguments": '{"id": 7}'}}
    image = {"type": "image_url", "image_url": {"url": "{{url}}"}}
    chat = [
        {"role": "user", "content": [{"type": "text", "text": "What is {{what}}?"}, image]},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "found"},
    ]
    register("agent", chat)
    filled = connect().pull_prompt("agent").invoke({"what": "this", "url": "https://example.com/a.png"}).to_messages()
    assert filled[0].content == [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
    ]
    assert filled[1].tool_calls[0]["args"] == {"id": 7}
    assert (filled[2].tool_call_id, filled[2].content) == ("c1", "found")


def test_a_client_as_programs_make_it_logs_nothing(
    connect: Connect,
    register: Callable[..., int],
    service: Service,
    key: Callable[..., str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    from langsmith import Client

    register("greet", "Hi {{name}}")
    with caplog.at_level("WARNING"):
        client = Client(api_url=f"{service.url}/langsmith", api_key=key("reader"))
        assert client.pull_prompt("greet").format(name="Ann") == "Hi Ann"
        info = client.info
        client.close()
    assert [record.message for record in caplog.records if record.name.startswith("langsmith")] == []
    assert (info.version, info.batch_ingest_config) == ("", None)
    assert "GET /langsmith/info 200" in service.requests


def test_a_version_is_pulled_by_label_commit_or_number(connect: Connect, register: Callable[..., int], local: Any) -> None:
    for text in ("one", "two", "three"):
        register("a", text, labels=["staging"] if text == "two" else [])
    client = connect()
    digest = local.get("/v1/prompts/a/versions/1").json()["digest"].removeprefix("sha256:")
    pulled = {commit: client.pull_prompt(f"a:{commit}").template for commit in ("staging", "latest", digest, digest[:8], "2")}
    assert list(pulled.values()) == ["two", "three", "one", "one", "two"]
    assert client.pull_prompt_commit("a:staging").commit_hash == client.pull_prompt("a:2").metadata["lc_hub_commit_hash"]


def test_a_split_label_is_pulled_as_its_first_version(connect: Connect, register: Callable[..., int], local: Any) -> None:
    for text in ("one", "two"):
        register("a", text)
    arms = [{"version": 2, "weight": 10}, {"version": 1, "weight": 90}]
    local.put("/v1/prompts/a/labels/production", json={"split": arms})
    assert connect().pull_prompt("a:production").template == "two"


def test_what_a_prompt_includes_is_put_in(connect: Connect, register: Callable[..., int]) -> None:
    register("tone", "Be {{kind}}. ", labels=["production"])
    register("a", [{"role": "system", "content": "{{> tone}}Hi {{name}} {x}"}])
    (message,) = connect().pull_prompt("a").invoke({"kind": "brief", "name": "Ann"}).to_messages()
    assert message.content == "Be brief. Hi Ann {x}"


def test_what_is_not_there_is_an_error_that_the_client_knows(
    connect: Connect, register: Callable[..., int], key: Callable[..., str]
) -> None:
    from langsmith.utils import LangSmithAuthError, LangSmithNotFoundError

    register("a", "x")
    client = connect()
    for identifier in ("nobody", "a:production", "a:9", "a:0123456789abcdef", "a:999999999"):
        with pytest.raises(LangSmithNotFoundError):
            client.pull_prompt(identifier)
    with pytest.raises(LangSmithNotFoundError):
        client.pull_prompt("someone/a", dangerously_pull_public_prompt=True)
    with pytest.raises(LangSmithNotFoundError):
        connect(api_key=key("admin", "another")).pull_prompt("a")
    with pytest.raises(LangSmithAuthError):
        connect(api_key="pmt_nobody").pull_prompt("a")


def test_what_langchain_cannot_express_is_refused_with_the_reason(connect: Connect, register: Callable[..., int]) -> None:
    from langsmith.utils import LangSmithError

    register("section", "{{#items}}{{.}}{{/items}}")
    register("context", "{{found}} {{q}}", context={"collection": "tickets", "query": "{{q}}", "into": "found"})
    for name, message in (("section", "is more than a plain name"), ("context", "retrieved by the server alone")):
        with pytest.raises(LangSmithError, match=message):
            connect().pull_prompt(name)


def test_prompts_and_commits_are_listed(connect: Connect, register: Callable[..., int], local: Any) -> None:
    register("a", "one", tags=["t"], message="first")
    register("a", "two", tags=["t"], message="second")
    register("b.c", "x")
    client = connect("viewer")
    repos = client.list_prompts().repos
    assert [(repo.repo_handle, repo.num_commits, repo.tags) for repo in repos] == [("a", 2, ["t"]), ("b.c", 1, [])]
    page = client.list_prompts(limit=1, offset=1)
    assert ([prompt.repo_handle for prompt in page.repos], page.total) == (["b.c"], 2)
    assert [prompt.repo_handle for prompt in client.list_prompts(query="b").repos] == ["b.c"]
    assert [commit.description for commit in client.list_prompt_commits("a")] == ["second", "first"]
    assert (client.get_prompt("a").num_commits, client.get_prompt("nobody")) == (2, None)
    local.post("/v1/prompts/a/versions/2/erase", json={"reason": "asked"})
    assert [repo.num_commits for repo in client.list_prompts().repos] == [2, 1]
    assert [commit.description for commit in client.list_prompt_commits("a")] == ["second", "first"]
    local.post("/v1/prompts/a/archive", json={})
    assert [prompt.repo_handle for prompt in client.list_prompts(is_archived=True).repos] == ["a"]


def test_an_old_name_is_pulled(connect: Connect, register: Callable[..., int]) -> None:
    register("movie-critic", "x")
    assert connect().pull_prompt("Movie Critic").template == "x"


def test_a_push_is_refused_with_the_alternative(connect: Connect, register: Callable[..., int], local: Any) -> None:
    from langchain_core.prompts import PromptTemplate
    from langsmith.utils import LangSmithError

    register("a", "x")
    author = connect("author")
    for name in ("a", "new"):
        with pytest.raises(LangSmithError, match="prompts are read here, not pushed"):
            author.push_prompt(name, object=PromptTemplate.from_template("Hi {name}"))
    with pytest.raises(LangSmithError, match="prompts are read here, not pushed"):
        author.delete_prompt("a")
    assert [item["newest"] for item in local.get("/v1/prompts").json()["items"]] == [1]


def test_the_key_is_taken_in_the_clients_own_header_there_alone(api: Any, key: Callable[..., str]) -> None:
    headers = {"x-api-key": key("reader")}
    assert api.get("/langsmith/repos", headers=headers).status_code == 200
    assert api.get("/phoenix/v1/prompts", headers=headers).status_code == 401
    assert api.get("/v1/prompts", headers=headers).status_code == 401
    assert api.get("/langsmith/repos", headers={"Authorization": f"Bearer {key('reader')}"}).status_code == 200
