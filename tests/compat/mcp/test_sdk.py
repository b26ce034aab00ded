"""The `mcp` SDK as the client of `POST /mcp`, with the stateless protocol and with the handshake of the earlier ones."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx2
import pytest
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client
from mcp_types import PromptReference

STATELESS, HANDSHAKE = "2026-07-28", "legacy"
VARIABLES = {
    "ticket": {"type": "string", "maxLength": 40, "description": "the customer's words"},
    "urgency": {"type": "integer", "minimum": 1, "default": 2},
    "queue": {"enum": ["billing", "bugs", "sales"]},
    "public": {"type": "boolean", "required": False},
}
TEMPLATE = [
    {"role": "system", "content": "Sort into {{queue}}."},
    {"role": "user", "content": "{{ticket}} ({{urgency}}{{#public}}, public{{/public}})"},
    {"role": "assistant", "content": "Done."},
]
WRONG: tuple[tuple[str, dict[str, str], str], ...] = (
    ("support.triage", {"ticket": "a", "queue": "bugs", "urgency": "soon"}, "urgency: must be an integer"),
    ("support.triage", {"ticket": "a", "queue": "bugs", "urgency": "NaN"}, "urgency: must be an integer"),
    ("support.triage", {"ticket": "a", "queue": "bugs", "urgency": "0"}, "urgency: must be at least 1"),
    ("support.triage", {"ticket": "a", "queue": "bugs", "public": "yes"}, "public: must be true or false"),
    ("support.triage", {"ticket": "a", "queue": "cars"}, "queue: must be one of"),
    ("support.triage", {"ticket": "a"}, "queue: is required"),
    ("support.triage", {"ticket": "a", "queue": "bugs", "x": "1"}, "x: is not a variable"),
    ("support.triage@9", {}, "has no version 9"),
    ("support.triage@prod", {}, "has no label 'prod'"),
    ("support.triage@0", {}, "has no such version"),
    ("support.triage@99999999999", {}, "has no such version"),
    ("support.triage@", {}, "there is no such prompt"),
    ("Support Triage", {}, "there is no such prompt"),
    ("nothing", {}, "there is no prompt 'nothing'"),
)
Act = Callable[[Any], Awaitable[Any]]
pytestmark = pytest.mark.process


@pytest.fixture
def call(url: str, bearer: Callable[..., dict[str, str]]) -> Callable[..., Any]:
    """Connect with a new key's role, and return what a coroutine function returns for the client."""

    def connect(act: Act, *, role: str = "reader", project: str = "default", mode: str = STATELESS, query: str = "") -> Any:
        async def run() -> Any:
            async with (
                httpx2.AsyncClient(headers=bearer(role, project), timeout=60) as http,
                Client(streamable_http_client(f"{url}/mcp{query}", http_client=http), mode=mode, cache=None) as client,
            ):
                try:
                    return await act(client)
                except MCPError as error:  # inside: the SDK's task groups wrap what leaves them
                    return error

        return asyncio.run(run())

    return connect


@pytest.fixture
def triage(register: Callable[..., int]) -> None:
    """The prompt `support.triage`: version 1 has `production`, version 2 has `staging`."""
    more = {"variables": VARIABLES, "message": "sorts tickets"}
    register("support.triage", TEMPLATE, labels=["production"], **more)
    register("support.triage", [*TEMPLATE, {"role": "user", "content": "Sure?"}], labels=["staging"], **more)


@pytest.mark.usefixtures("triage")
@pytest.mark.parametrize("mode", [STATELESS, HANDSHAKE, "auto"])
def test_a_prompt_is_listed_with_its_arguments(call: Any, mode: str) -> None:
    (prompt,) = call(lambda client: client.list_prompts(), mode=mode).prompts
    assert (prompt.name, prompt.title) == ("support.triage", "Support / Triage")
    assert prompt.description == "sorts tickets (version 1, production)"
    arguments = {argument.name: (argument.description, argument.required) for argument in prompt.arguments}
    assert arguments == {
        "ticket": ("the customer's words (text; at most 40 characters)", True),
        "urgency": ("an integer; at least 1; default 2", False),
        "queue": ("one of billing, bugs, sales", True),
        "public": ("true or false", False),
    }
    schemas = prompt.meta["promptuary/arguments"]
    assert schemas["urgency"] == {"type": "integer", "minimum": 1, "default": 2}
    assert schemas["ticket"] == {"type": "string", "maxLength": 40, "description": "the customer's words"}
    assert (prompt.meta["promptuary/version"], prompt.meta["promptuary/label"]) == (1, "production")


@pytest.mark.usefixtures("triage")
@pytest.mark.parametrize("mode", [STATELESS, HANDSHAKE, "auto"])
def test_a_prompt_is_rendered_with_arguments_of_their_types(call: Any, local: Any, mode: str) -> None:
    arguments = {"ticket": "No card", "urgency": "3", "queue": "bugs", "public": "true"}
    result = call(lambda client: client.get_prompt("support.triage", arguments), mode=mode)
    messages = [(message.role, message.content.text, message.content.meta) for message in result.messages]
    assert messages == [
        ("user", "Sort into bugs.", {"promptuary/role": "system"}),
        ("user", "No card (3, public)", None),
        ("assistant", "Done.", None),
    ]
    variables = {"ticket": "No card", "urgency": 3, "queue": "bugs", "public": True}
    rendered = local.post("/v1/prompts/support.triage/render", json={"variables": variables}).json()
    assert [text for _, text, _ in messages] == [message["content"] for message in rendered["messages"]]
    assert (result.meta["promptuary/version"], result.meta["promptuary/digest"]) == (1, rendered["digest"])


def test_every_earlier_protocol_is_negotiated(api: Any, bearer: Any) -> None:
    headers = bearer("reader")
    for version in ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"):
        params = {"protocolVersion": version, "capabilities": {}, "clientInfo": {"name": "a", "version": "1"}}
        body = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}
        result = api.post("/mcp", json=body, headers=headers).json()["result"]
        assert (result["protocolVersion"], result["serverInfo"]["name"]) == (version, "promptuary")
        assert result["capabilities"].keys() == {"prompts", "completions"}


@pytest.mark.usefixtures("triage")
def test_a_label_or_a_number_is_selected_by_a_suffix(call: Any) -> None:
    async def versions(client: Any) -> list[int]:
        names = ("support.triage", "support.triage@staging", "support.triage@latest", "support.triage@1", "support.triage@2")
        results = [await client.get_prompt(name, {"ticket": "a", "queue": "bugs"}) for name in names]
        return [result.meta["promptuary/version"] for result in results]

    assert call(versions) == [1, 2, 2, 1, 2]


@pytest.mark.usefixtures("triage")
def test_a_connection_has_the_label_of_its_address(call: Any, register: Any) -> None:
    register("other", "Hi")

    async def seen(client: Any) -> list[Any]:
        return [(prompt.name, prompt.meta["promptuary/version"]) for prompt in (await client.list_prompts()).prompts]

    assert call(seen) == [("support.triage", 1)]
    assert call(seen, query="?label=staging") == [("support.triage", 2)]
    assert call(seen, query="?label=latest") == [("other", 1), ("support.triage", 2)]
    arguments = {"ticket": "a", "queue": "bugs"}
    result = call(lambda client: client.get_prompt("support.triage", arguments), query="?label=staging")
    assert (result.meta["promptuary/version"], len(result.messages)) == (2, 4)


def test_a_text_prompt_is_one_message_of_the_user(call: Any, register: Any) -> None:
    register("greet", "Hi {{name}}, <b>&</b>", labels=["production"])
    result = call(lambda client: client.get_prompt("greet", {"name": "Åse"}))
    assert [(message.role, message.content.text) for message in result.messages] == [("user", "Hi Åse, <b>&</b>")]


def test_messages_are_sent_to_a_placeholder_as_json(call: Any, register: Any) -> None:
    template = [{"role": "placeholder", "name": "history"}, {"role": "user", "content": "Go on"}]
    register("chat", template, labels=["production"])
    history = '[{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]'
    result = call(lambda client: client.get_prompt("chat", {"history": history}))
    assert [(message.role, message.content.text) for message in result.messages] == [
        ("user", "Hi"),
        ("assistant", "Hello"),
        ("user", "Go on"),
    ]
    (prompt,) = call(lambda client: client.list_prompts()).prompts
    assert prompt.arguments[0].description == 'a JSON list of messages, as [{"role": "user", "content": "…"}]'


PNG = "iVBORw0KGgo="
AGENT = [
    {"role": "developer", "content": "Be brief."},
    {
        "role": "user",
        "name": "ann",
        "content": [
            {"type": "text", "text": "See {{what}}", "cache_control": {"type": "ephemeral"}},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64," + PNG, "detail": "low"}},
            {"type": "image_url", "image_url": {"url": "https://img.example/{{what}}.jpg?s=1"}},
            {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "mp3"}},
            {"type": "file", "file": {"filename": "a b.pdf", "file_data": "JVBERi0="}},
            {"type": "file", "file": {"file_id": "file-7"}},
        ],
    },
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "find", "arguments": '{"q": "{{what}}"}'}}],
    },
    {"role": "tool", "tool_call_id": "c1", "content": "found"},
]


@pytest.mark.parametrize("mode", [STATELESS, HANDSHAKE])
def test_parts_and_tool_calls_are_carried(call: Any, register: Any, mode: str) -> None:
    register("agent", AGENT, labels=["production"])
    result = call(lambda client: client.get_prompt("agent", {"what": "cat"}), mode=mode)
    messages = [message.model_dump(by_alias=True, exclude_none=True, mode="json") for message in result.messages]
    calls = [{"id": "c1", "type": "function", "function": {"name": "find", "arguments": '{"q": "cat"}'}}]
    ann = {"promptuary/name": "ann"}
    link = {"type": "resource_link", "uri": "https://img.example/cat.jpg?s=1", "name": "cat.jpg", "mimeType": "image/jpeg"}
    file = {"uri": "file:///a%20b.pdf", "mimeType": "application/pdf", "blob": "JVBERi0="}
    assert [(message["role"], message["content"]) for message in messages] == [
        ("user", {"type": "text", "text": "Be brief.", "_meta": {"promptuary/role": "developer"}}),
        ("user", {"type": "text", "text": "See cat", "_meta": {**ann, "promptuary/cache_control": {"type": "ephemeral"}}}),
        ("user", {"type": "image", "data": PNG, "mimeType": "image/png", "_meta": {**ann, "promptuary/detail": "low"}}),
        ("user", {**link, "_meta": ann}),
        ("user", {"type": "audio", "data": "UklGRg==", "mimeType": "audio/mpeg", "_meta": ann}),
        ("user", {"type": "resource", "resource": file, "_meta": ann}),
        ("user", {"type": "text", "text": "file-7", "_meta": {**ann, "promptuary/file": {"file_id": "file-7"}}}),
        (
            "assistant",
            {"type": "text", "text": json.dumps({"tool_calls": calls}), "_meta": {"promptuary/tool_calls": calls}},
        ),
        (
            "user",
            {"type": "text", "text": "found", "_meta": {"promptuary/tool_call_id": "c1", "promptuary/role": "tool"}},
        ),
    ]


@pytest.mark.usefixtures("triage")
@pytest.mark.parametrize("mode", [STATELESS, HANDSHAKE])
def test_what_is_wrong_is_an_error_of_the_parameters(call: Any, mode: str) -> None:
    async def errors(client: Any) -> list[MCPError]:
        raised = []
        for name, arguments, _ in WRONG:
            with pytest.raises(MCPError) as caught:
                await client.get_prompt(name, arguments)
            raised.append(caught.value)
        return raised

    for error, (_, _, message) in zip(call(errors, mode=mode), WRONG, strict=True):
        assert error.code == -32602
        assert message in error.message
        assert error.data["code"] in ("invalid_variables", "not_found")
        assert "Traceback" not in str(error.data)


@pytest.mark.usefixtures("triage")
def test_an_empty_text_for_an_optional_number_is_no_value(call: Any) -> None:
    arguments = {"ticket": "", "queue": "bugs", "urgency": "", "public": ""}
    result = call(lambda client: client.get_prompt("support.triage", arguments))
    assert result.messages[1].content.text == " (2)"


@pytest.mark.usefixtures("triage")
@pytest.mark.parametrize("mode", [STATELESS, HANDSHAKE])
def test_values_of_enums_and_booleans_are_completed(call: Any, mode: str) -> None:
    async def completed(client: Any) -> list[Any]:
        reference = PromptReference(name="support.triage")
        beginnings = (("queue", "b"), ("queue", "Bu"), ("queue", ""), ("public", "t"), ("ticket", "a"))
        results = [await client.complete(reference, {"name": name, "value": value}) for name, value in beginnings]
        return [result.completion.values for result in results]

    assert call(completed, mode=mode) == [["billing", "bugs"], ["bugs"], ["billing", "bugs", "sales"], ["true"], []]


@pytest.mark.parametrize(
    ("text", "value"),
    [("auto", "auto"), ("1", 1), ("2.50", 2.5), ("true", True), ("null", None), ('{"b":1, "a":[2]}', {"a": [2], "b": 1})],
)
def test_every_value_of_an_enum_can_be_chosen(call: Any, register: Any, local: Any, text: str, value: Any) -> None:
    enum = ["auto", 1, 2.5, True, None, {"a": [2], "b": 1}]
    register("p", "Hi {{{mode}}}", labels=["production"], variables={"mode": {"enum": enum}})
    result = call(lambda client: client.get_prompt("p", {"mode": text}))
    expected = local.post("/v1/prompts/p/render", json={"variables": {"mode": value}}).json()["text"]
    assert result.messages[0].content.text == expected
    completed = call(lambda client: client.complete(PromptReference(name="p"), {"name": "mode", "value": text[:1]}))
    assert json.loads(completed.completion.values[0]) == value if value != "auto" else completed.completion.values == ["auto"]
    error = call(lambda client: client.get_prompt("p", {"mode": "True"}))
    assert "mode: must be one of" in error.message


def test_at_most_a_hundred_completions_are_sent(call: Any, register: Any) -> None:
    register("many", "{{n}}", labels=["production"], variables={"n": {"enum": [f"v{n}" for n in range(150)]}})
    result = call(lambda client: client.complete(PromptReference(name="many"), {"name": "n", "value": "v"}))
    assert (len(result.completion.values), result.completion.total, result.completion.has_more) == (100, 150, True)


@pytest.mark.usefixtures("triage")
def test_an_unknown_argument_is_not_completed(call: Any) -> None:
    error = call(lambda client: client.complete(PromptReference(name="support.triage"), {"name": "x", "value": ""}))
    assert (error.code, error.data["code"]) == (-32602, "invalid_variables")
    assert "it has: " in error.message


def test_a_long_list_comes_in_pages(url: str, app: Any, call: Any, register: Any) -> None:
    app.app.state.settings = app.services.settings.model_copy(update={"page_limit": 2})
    for name in ("a", "b", "c", "d", "e"):
        register(name, "Hi", labels=["production"])

    async def pages(client: Any) -> list[list[str]]:
        page = await client.list_prompts()
        listed = [[prompt.name for prompt in page.prompts]]
        while page.next_cursor:
            page = await client.list_prompts(cursor=page.next_cursor)
            listed.append([prompt.name for prompt in page.prompts])
        return listed

    assert call(pages) == [["a", "b"], ["c", "d"], ["e"]]
    error = call(lambda client: client.list_prompts(cursor="forged"))
    assert (error.code, error.data["code"]) == (-32602, "invalid_cursor")


@pytest.mark.usefixtures("triage")
def test_a_key_sees_its_own_project_alone(call: Any) -> None:
    assert call(lambda client: client.list_prompts(), project="other").prompts == []
    error = call(lambda client: client.get_prompt("support.triage"), project="other")
    assert "there is no prompt 'support.triage' in the project 'other'" in error.message


@pytest.mark.usefixtures("triage")
def test_a_role_that_may_not_render_lists_prompts_only(call: Any) -> None:
    assert len(call(lambda client: client.list_prompts(), role="reviewer").prompts) == 1
    error = call(lambda client: client.get_prompt("support.triage"), role="reviewer")
    assert (error.code, error.data) == (-32600, {"code": "forbidden"})
    assert "prompt:render" in error.message


def test_a_prompt_that_cannot_be_rendered_here_does_not_hide_the_others(app: Any, call: Any, register: Any) -> None:
    app.app.state.settings = app.services.settings.model_copy(update={"jinja2": True})
    register("a", "{{ n }}", format="jinja2", labels=["production"])
    register("b", "Hi", labels=["production"])
    app.app.state.settings = app.services.settings
    first, second = call(lambda client: client.list_prompts()).prompts
    assert "cannot be rendered here: format: jinja2 is off here" in first.description
    assert (second.name, second.arguments) == ("b", [])


def test_a_prompt_has_the_name_that_an_sdk_gave_it_as_its_title(call: Any, local: Any) -> None:
    body = {"name": "Support Desk/Greet", "type": "text", "prompt": "Hi", "labels": ["production"]}
    local.post("/api/public/v2/prompts", json=body).raise_for_status()
    (prompt,) = call(lambda client: client.list_prompts()).prompts
    assert prompt.title == "Support Desk/Greet"


def test_an_erased_version_is_an_error_and_not_listed(call: Any, local: Any, register: Any) -> None:
    register("a", "Hi", labels=["production"])
    erasure = {"reason": "a name in it", "labelled": True}
    local.post("/v1/prompts/a/versions/1/erase", json=erasure).raise_for_status()
    assert call(lambda client: client.list_prompts()).prompts == []
    error = call(lambda client: client.get_prompt("a@1"))
    assert (error.code, error.data["code"]) == (-32602, "erased")


@pytest.mark.usefixtures("triage")
def test_an_archived_prompt_is_not_listed(call: Any, local: Any) -> None:
    local.post("/v1/prompts/support.triage/archive", json={}).raise_for_status()
    assert call(lambda client: client.list_prompts()).prompts == []
    assert "is archived" in call(lambda client: client.get_prompt("support.triage")).message
