"""The prompts page, in front of responses of the API."""

import json
from collections.abc import Callable
from typing import Any

import pytest

PageText = Callable[[Any], str]
VERSIONS = [
    {
        "name": "triage",
        "version": number,
        "digest": "sha256:0",
        "type": "chat",
        "template": [{"role": "system", "content": f"Sort it, try {number}."}, {"role": "placeholder", "name": "history"}],
        "format": "mustache",
        "variables": {"ticket": {"type": "string"}},
        "model": {"name": "local:m", "temperature": 0},
        "labels": ["production"] if number == 2 else [],
        "message": "better *now*",
        "tags": ["support"],
        "author": "key:lead",
        "created_at": "2026-03-02T12:00:00Z",
    }
    for number in (2, 1)
]
MOVES = [
    {"label": "production", "version": 2, "previous": 1, "actor": "key:lead", "reason": "it won", "at": "2026-03-02T12:00:00Z"}
]


def listed(items: list[Any]) -> dict[str, Any]:
    return {"items": items, "next_cursor": None}


@pytest.fixture
def responses() -> dict[str, Any]:
    """The API's responses by path; a test may change it."""
    return {
        "/v1/prompts": listed([{"name": "triage", "newest": 2, "labels": {"production": 2}}]),
        "/v1/prompts/triage/versions": listed(VERSIONS),
        "/v1/prompts/triage/labels/production/history": listed(MOVES),
        "/v1/prompts/triage/events": listed([]),
    }


def test_without_prompts_the_page_reports_it(open_page: Any, page_text: PageText, responses: dict[str, Any]) -> None:
    responses["/v1/prompts"] = listed([])
    assert "There is no prompt yet." in page_text(open_page("prompts"))


def test_a_prompt_is_shown_as_text_with_its_labels_and_their_history(open_page: Any, page_text: PageText) -> None:
    page = open_page("prompts")
    content = page_text(page)
    assert "Sort it, try 2." in content
    assert r"better \*now\*" in content
    assert page.query_params["prompt"] == "triage"
    history = open_page("prompts", tab="Label history").dataframe[-1].value
    assert (list(history["to"]), list(history["from"]), list(history["reason"])) == (["v2"], ["v1"], ["it won"])


def test_a_split_label_is_shown_with_each_arms_share(open_page: Any, responses: dict[str, Any]) -> None:
    split = {"arms": [{"version": 1, "weight": 3}, {"version": 2, "weight": 1}]}
    prompt = {"name": "triage", "newest": 2, "labels": {"production": 1}, "splits": {"production": split}}
    responses["/v1/prompts"] = listed([prompt])
    responses["/v1/prompts/triage/labels/production/history"] = listed([MOVES[0], MOVES[0] | {"version": 1, "split": split}])
    radio = open_page("prompts").radio[0]
    assert radio.proto.captions == ["production → v1 75 %, v2 25 %"]
    history = open_page("prompts", tab="Label history").dataframe[-1].value
    assert (list(history["to"]), list(history["from"])) == (["v2", "v1 75 %, v2 25 %"], ["v1 75 %, v2 25 %", "v1"])


def test_a_removed_label_is_shown_with_its_history(open_page: Any, page_text: PageText, responses: dict[str, Any]) -> None:
    responses["/v1/prompts/triage/events"] = listed([{"detail": {"label": "beta"}}])
    removal = MOVES[0] | {"label": "beta", "version": None, "reason": "over"}
    responses["/v1/prompts/triage/labels/beta/history"] = listed([removal, MOVES[0] | {"label": "beta"}])
    page = open_page("prompts", tab="Label history")
    assert "**beta**" in page_text(page)
    history = page.dataframe[0].value
    assert (history["to"].iloc[0], history["reason"].iloc[0]) == ("removed", "over")


def test_an_older_version_can_be_chosen(open_page: Any, page_text: PageText) -> None:
    page = open_page("prompts", prompt="triage")
    page.selectbox[0].select(1).run()
    assert "Sort it, try 1." in page_text(page)


def test_a_config_is_shown_in_its_order(open_page: Any, page_text: PageText, responses: dict[str, Any]) -> None:
    config = {"z": 1.0, "a": {"y": None, "x": []}}
    responses["/v1/prompts/triage/versions"] = listed([VERSIONS[0] | {"config": config}])
    content = page_text(open_page("prompts"))
    assert "**Configuration**" in content
    assert json.dumps(config, indent=2) in content


def test_tags_tools_and_what_is_included_are_shown_as_text(
    open_page: Any, page_text: PageText, responses: dict[str, Any]
) -> None:
    content = {
        "tools": [{"type": "function", "function": {"name": "look_up"}}],
        "partials": {"tone@3": "Be *kind*.", "style@1": "Be brief."},
        "includes": [{"reference": "tone@3", "name": "tone", "version": 3, "digest": "sha256:0"}],
    }
    responses["/v1/prompts/triage/versions"] = listed([VERSIONS[0] | content])
    page = open_page("prompts")
    assert ":material/tag: support" in page_text(page)
    assert [element.label for element in page.expander] == [r"tone\@3 · tone v3", r"style\@1"]
    assert {"Be *kind*.", "Be brief."} <= {element.value for element in page.code}
    assert any("look_up" in element.value for element in page.code)


# --- comparing ----------------------------------------------------------------------------------------------------------

DIFF = {
    "name": "triage",
    "from": {"version": 1, "digest": "sha256:1"},
    "to": {"version": 2, "digest": "sha256:2"},
    "breaking": True,
    "reasons": ["the variable '*tone*' is new and must be given"],
    "changes": [
        {
            "part": "template",
            "path": "template.0.content",
            "kind": "changed",
            "before": "Sort it\u200b.\n![x](http://a)",
            "after": "Sort it.\n![x](http://a)",
            "diff": "@@ -1,2 +1,2 @@\n-Sort it\u200b.\n+Sort it.\n ![x](http://a)",
            "breaking": False,
            "why": None,
        },
        {
            "part": "template",
            "path": "template.1",
            "kind": "removed",
            "before": {"role": "assistant", "content": "Intent:\n**x**"},
            "after": None,
            "diff": None,
            "breaking": False,
            "why": None,
        },
        {
            "part": "variables",
            "path": "variables.*tone*",
            "kind": "added",
            "before": None,
            "after": {"required": True},
            "diff": None,
            "breaking": True,
            "why": "the variable '*tone*' is new and must be given",
        },
    ],
}


@pytest.fixture
def compared_pairs(responses: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """The pairs of versions that the page has compared; each gets the diff above."""
    from promptuary_ui.client import Api
    from promptuary_ui.wire.prompts import Diff

    pairs: list[tuple[int, int]] = []

    def diff(_self: Api, name: str, before: int, after: int) -> Diff:
        assert name == "triage"
        pairs.append((before, after))
        return Diff.model_validate(responses.get("diff", DIFF))

    monkeypatch.setattr(Api, "diff", diff)
    return pairs


def test_a_comparison_shows_breaking_changes_first(
    open_page: Any, page_text: PageText, compared_pairs: list[tuple[int, int]]
) -> None:
    page = open_page("prompts", tab="Compare")
    assert compared_pairs == [(1, 2)]
    assert [element.value for element in page.error] == [
        "**Breaks programs that work with v1:**\n- the variable \\'\\*tone\\*\\' is new and must be given"
    ]
    titles = [element.value for element in page.markdown if str(element.value).startswith("**")]
    assert titles == ["**Template**", "**Variables**"]
    assert r"variables\.\*tone\*" in page_text(page)


def test_texts_are_compared_as_text_and_hidden_characters_are_shown(
    open_page: Any, page_text: PageText, compared_pairs: list[tuple[int, int]]
) -> None:
    page = open_page("prompts", tab="Compare")
    assert [(element.value, element.language) for element in page.code] == [
        ("@@ -1,2 +1,2 @@\n-Sort it\\u200b.\n+Sort it.\n ![x](http://a)", "diff"),
        ("-[assistant] Intent:\n-**x**", "diff"),
    ]
    assert [element.value for element in page.text] == ['{"required": true}']
    page.toggle[0].set_value(True).run()
    assert [element.value for element in page.code] == [
        "Sort it\\u200b.\n![x](http://a)",
        "Sort it.\n![x](http://a)",
        "[assistant] Intent:\n**x**",
        "(absent)",
    ]


def test_two_versions_are_picked_and_one_alone_is_not_compared(
    open_page: Any, page_text: PageText, responses: dict[str, Any], compared_pairs: list[tuple[int, int]]
) -> None:
    page = open_page("prompts", tab="Compare")
    page.selectbox[1].select(1).run()
    assert "Both versions are the same." in page_text(page)
    page.selectbox[0].select(2).run()
    assert compared_pairs[-1] == (2, 1)
    responses["/v1/prompts/triage/versions"] = listed(VERSIONS[1:])
    assert "There is only one version." in page_text(open_page("prompts", tab="Compare"))


def test_a_comparison_without_breaking_changes_reports_it(
    open_page: Any, page_text: PageText, responses: dict[str, Any], compared_pairs: list[tuple[int, int]]
) -> None:
    responses["diff"] = {**DIFF, "breaking": False, "reasons": [], "changes": DIFF["changes"][:1]}  # type: ignore[index]
    page = open_page("prompts", tab="Compare")
    assert [element.value for element in page.success] == ["Nothing here breaks a program that works with v1."]
    responses["diff"] = {**DIFF, "breaking": False, "reasons": [], "changes": []}
    assert "Nothing changed." in page_text(open_page("prompts", tab="Compare"))


PNG = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
AGENT = [
    {"role": "developer", "content": "Be *brief*.", "name": "policy"},
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {"id": "call_1", "type": "function", "function": {"name": "find", "arguments": '{"order": "{{order}}"}'}}
        ],
    },
    {"role": "tool", "content": "found <b>", "tool_call_id": "call_1"},
    {
        "role": "user",
        "content": [
            {"type": "text", "text": "What is it?", "cache_control": {"type": "ephemeral"}},
            {"type": "image_url", "image_url": {"url": PNG, "detail": "low"}},
            {"type": "image_url", "image_url": {"url": "https://img.example/a.png"}},
            {"type": "image_url", "image_url": {"url": "https://img.example/{{a}}.png"}},
            {"type": "image_url", "image_url": {"url": "data:image/svg+xml;base64,PHN2Zz48L3N2Zz4="}},
            {"type": "input_audio", "input_audio": {"data": "A" * 5000, "format": "wav"}},
            {"type": "file", "file": {"file_id": "file-1"}},
        ],
    },
]


def test_a_message_shows_its_role_name_parts_and_tool_calls(
    open_page: Any, page_text: PageText, responses: dict[str, Any]
) -> None:
    responses["/v1/prompts/triage/versions"] = listed([{**VERSIONS[0], "template": AGENT}])
    content = page_text(open_page("prompts"))
    for expected in (
        r"developer · policy",
        "Be *brief*.",
        r"calls find · call\_1",
        '{"order": "{{order}}"}',
        r"tool · call\_1",
        "found <b>",
        "What is it?",
        "cache control: ",
        "image · detail low",
        "https://img.example/{{a}}.png",
        "(5000 characters)",
        "file-1",
    ):
        assert expected in content
    assert "A" * 400 not in content


def test_an_image_is_shown_when_a_button_is_pressed_and_not_before(open_page: Any, responses: dict[str, Any]) -> None:
    responses["/v1/prompts/triage/versions"] = listed([{**VERSIONS[0], "template": AGENT}])
    page = open_page("prompts")
    assert not page.get("image")
    (show,) = [button for button in page.button if button.label == "Show image"]  # an SVG has none
    (link,) = page.get("link_button")
    assert link.proto.url == "https://img.example/a.png"
    page = show.click().run()
    (image,) = page.get("image")
    assert image.value == [PNG]


def test_an_erased_version_is_shown_as_erased_and_not_compared(
    open_page: Any, page_text: PageText, responses: dict[str, Any]
) -> None:
    parts = ("name", "version", "digest", "labels", "message", "tags", "author", "created_at")
    erased = {part: VERSIONS[0][part] for part in parts} | {"erased_at": "2026-03-02T12:00:00Z"}
    responses["/v1/prompts/triage/versions"] = listed([erased, VERSIONS[1]])
    page = open_page("prompts")
    assert "The content of this version was erased at" in page_text(page)
    assert "v2 (production, erased)" in page.selectbox[0].options
    assert "Fewer than two versions have their content." in page_text(open_page("prompts", tab="Compare"))
