"""The runs and prompts pages, in front of answers as the API gives them."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

RUN = "run_1"
INTERVAL = {"estimate": 0.75, "low": 0.625, "high": 0.875, "level": 0.95, "method": "t", "n": 8, "clusters": None}
FIGURES = {"interval": INTERVAL, "scored": 8, "unscored": 0}
SUMMARY = {
    "verdict": "inconclusive",
    "metrics": ["exact"],
    "cases": 8,
    "results": 16,
    "errors": 1,
    "unrunnable": 1,
    "variants": [
        {"name": "v2", "model": "local:m", "prompt": "triage", "version": 2, "errors": 1, "metrics": {"exact": FIGURES}},
        {"name": "v1", "model": "local:m", "prompt": "triage", "version": 1, "metrics": {"exact": {"interval": None}}},
    ],
    "comparisons": [
        {
            "candidate": "v2",
            "baseline": "v1",
            "metric": "exact",
            "interval": {**INTERVAL, "estimate": -0.5, "low": -0.75, "high": 0.25},
            "cases": 8,
            "better": ["a"],
            "worse": ["b", "c"],
        }
    ],
    "gates": [{"metric": "exact", "verdict": "inconclusive", "sentence": "exact of v2 is *0.750*; the interval holds 0.700"}],
}
HEAD = {"id": RUN, "suite": "triage", "total": 16, "done": 16, "actor": "key:ci", "created_at": "2026-03-02T12:00:00Z"}
RESULTS = [
    {"case": "a", "variant": "v2", "pass": True, "output": "![x](http://a)", "metrics": {"exact": 1.0}, "vars": {"t": "in"}},
    {"case": "b", "variant": "v2", "pass": False, "output": "wrong", "metrics": {"exact": 0.0}, "expected": "right"},
    {"case": "c", "variant": "v2", "pass": None, "error": "no answer", "metrics": {"exact": None}},
]
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
def answers() -> dict[str, Any]:
    """What the API answers by path; a test may change it."""
    finished = {**HEAD, "state": "finished", "verdict": "inconclusive"}
    return {
        "/v1/runs": listed([finished]),
        f"/v1/runs/{RUN}": {**finished, "summary": SUMMARY},
        f"/v1/runs/{RUN}/results": listed(RESULTS),
        "/v1/prompts": listed([{"name": "triage", "newest": 2, "labels": {"production": 2}}]),
        "/v1/prompts/triage/versions": listed(VERSIONS),
        "/v1/prompts/triage/labels/production/history": listed(MOVES),
    }


@pytest.fixture
def opened(answers: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """Open a page by its name, signed in; more arguments are the address's query."""
    from streamlit.testing.v1 import AppTest

    from promptuary_ui import session

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json=answers[request.url.path])

    with httpx.Client(base_url="http://api.test", transport=httpx.MockTransport(answer)) as client:
        monkeypatch.setattr(session, "connect", lambda _url: client)
        session._connection.cache_clear()

        def page(name: str, **query: str) -> Any:
            script = f"from promptuary_ui.page import {name}\n{name}.show()"
            found = AppTest.from_string(script, default_timeout=20)
            found.session_state["promptuary.key"] = "pmt_mine"
            found.query_params.update(query)
            found.run()
            assert not found.exception
            return found

        yield page


def shown(page: Any) -> str:
    kinds = (page.markdown, page.caption, page.text, page.code, page.title, page.subheader, page.info, page.error)
    return "\n".join(str(found.value) for kind in kinds for found in kind)


def test_runs_are_listed_with_their_verdict_and_lead_to_one(opened: Any) -> None:
    page = opened("runs")
    assert "**triage**" in shown(page)
    assert "inconclusive" in shown(page)
    next(found for found in page.button if found.label == "Open").click().run()
    assert page.query_params["run"] == RUN


def test_a_run_shows_intervals_differences_and_the_gates_sentence(opened: Any) -> None:
    page = opened("runs", run=RUN)
    variants, differences = (frame.value for frame in page.dataframe[:2])
    assert list(variants["exact"]) == ["0.750  [0.625, 0.875]", "not known"]
    assert list(differences["difference"]) == ["−0.500  [−0.750, +0.250]"]
    assert (list(differences["better"]), list(differences["worse"])) == ([1], [2])
    assert r"exact of v2 is \*0\.750\*" in shown(page)


@pytest.mark.parametrize(("kind", "cases"), [("All", ["a", "b", "c"]), ("Failed", ["b"]), ("Passed", ["a"]), ("Errors", ["c"])])
def test_cases_are_filtered_and_an_error_is_no_failure(opened: Any, kind: str, cases: list[str]) -> None:
    page = opened("runs", run=RUN)
    page.button_group[0].set_value(kind).run()
    assert list(page.dataframe[2].value["case"]) == cases


def test_a_run_under_way_shows_how_far_it_is(opened: Any, answers: dict[str, Any]) -> None:
    answers[f"/v1/runs/{RUN}"] = {**HEAD, "done": 4, "state": "running", "summary": None}
    answers[f"/v1/runs/{RUN}/results"] = listed([])
    page = opened("runs", run=RUN)
    assert "4 of 16 results" in shown(page)
    assert "No result is of this kind." in shown(page)


def test_a_run_that_failed_says_why(opened: Any, answers: dict[str, Any]) -> None:
    answers[f"/v1/runs/{RUN}"] = {**HEAD, "state": "failed", "error": "the model is away", "summary": None}
    assert "the model is away" in shown(opened("runs", run=RUN))


def test_without_runs_or_prompts_the_page_says_how_to_begin(opened: Any, answers: dict[str, Any]) -> None:
    answers["/v1/runs"] = answers["/v1/prompts"] = listed([])
    assert "promptuary eval run" in shown(opened("runs"))
    assert "There is no prompt yet." in shown(opened("prompts"))


def test_a_prompt_is_shown_as_text_with_its_labels_and_their_history(opened: Any) -> None:
    page = opened("prompts")
    told = shown(page)
    assert "Sort it, try 2." in told
    assert r"better \*now\*" in told
    assert page.query_params["prompt"] == "triage"
    history = opened("prompts", tab="Label history").dataframe[-1].value
    assert (list(history["to"]), list(history["from"]), list(history["reason"])) == (["v2"], ["v1"], ["it won"])


def test_a_split_label_is_shown_with_each_arms_share(opened: Any, answers: dict[str, Any]) -> None:
    split = {"arms": [{"version": 1, "weight": 3}, {"version": 2, "weight": 1}]}
    prompt = {"name": "triage", "newest": 2, "labels": {"production": 1}, "splits": {"production": split}}
    answers["/v1/prompts"] = listed([prompt])
    answers["/v1/prompts/triage/labels/production/history"] = listed([MOVES[0], MOVES[0] | {"version": 1, "split": split}])
    radio = opened("prompts").radio[0]
    assert radio.proto.captions == ["production → v1 75 %, v2 25 %"]
    history = opened("prompts", tab="Label history").dataframe[-1].value
    assert (list(history["to"]), list(history["from"])) == (["v2", "v1 75 %, v2 25 %"], ["v1 75 %, v2 25 %", "v1"])


def test_an_older_version_can_be_chosen(opened: Any) -> None:
    page = opened("prompts", prompt="triage")
    page.selectbox[0].select(1).run()
    assert "Sort it, try 1." in shown(page)


def test_tags_tools_and_what_is_included_are_shown_as_text(opened: Any, answers: dict[str, Any]) -> None:
    told = {
        "tools": [{"type": "function", "function": {"name": "look_up"}}],
        "partials": {"tone@3": "Be *kind*.", "style@1": "Be brief."},
        "includes": [{"reference": "tone@3", "name": "tone", "version": 3, "digest": "sha256:0"}],
    }
    answers["/v1/prompts/triage/versions"] = listed([VERSIONS[0] | told])
    page = opened("prompts")
    assert ":material/tag: support" in shown(page)
    assert [found.label for found in page.expander] == [r"tone\@3 · tone v3", r"style\@1"]
    assert {"Be *kind*.", "Be brief."} <= {found.value for found in page.code}
    assert any("look_up" in found.value for found in page.code)


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
def asked(answers: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Which versions the page has compared; it gets the diff above."""
    from promptuary_ui.answers import Diff
    from promptuary_ui.client import Api

    pairs: list[tuple[int, int]] = []

    def diff(_self: Api, name: str, before: int, after: int) -> Diff:
        assert name == "triage"
        pairs.append((before, after))
        return Diff.model_validate(answers.get("diff", DIFF))

    monkeypatch.setattr(Api, "diff", diff)
    return pairs


def test_a_comparison_tells_first_what_breaks_and_why(opened: Any, asked: list[tuple[int, int]]) -> None:
    page = opened("prompts", tab="Compare")
    assert asked == [(1, 2)]
    assert [found.value for found in page.error] == [
        "**Breaks programs that work with v1:**\n- the variable \\'\\*tone\\*\\' is new and must be given"
    ]
    titles = [found.value for found in page.markdown if str(found.value).startswith("**")]
    assert titles == ["**Template**", "**Variables**"]
    assert r"variables\.\*tone\*" in shown(page)


def test_texts_are_compared_as_text_and_what_is_not_seen_is_shown(opened: Any, asked: list[tuple[int, int]]) -> None:
    page = opened("prompts", tab="Compare")
    assert [(found.value, found.language) for found in page.code] == [
        ("@@ -1,2 +1,2 @@\n-Sort it\\u200b.\n+Sort it.\n ![x](http://a)", "diff"),
        ("-[assistant] Intent:\n-**x**", "diff"),
    ]
    assert [found.value for found in page.text] == ['{"required": true}']
    page.toggle[0].set_value(True).run()
    assert [found.value for found in page.code] == [
        "Sort it\\u200b.\n![x](http://a)",
        "Sort it.\n![x](http://a)",
        "[assistant] Intent:\n**x**",
        "(absent)",
    ]


def test_two_versions_are_picked_and_one_alone_is_not_compared(
    opened: Any, answers: dict[str, Any], asked: list[tuple[int, int]]
) -> None:
    page = opened("prompts", tab="Compare")
    page.selectbox[1].select(1).run()
    assert "Both are the same version." in shown(page)
    page.selectbox[0].select(2).run()
    assert asked[-1] == (2, 1)
    answers["/v1/prompts/triage/versions"] = listed(VERSIONS[1:])
    assert "There is one version only." in shown(opened("prompts", tab="Compare"))


def test_what_breaks_nothing_is_told_as_that(opened: Any, answers: dict[str, Any], asked: list[tuple[int, int]]) -> None:
    answers["diff"] = {**DIFF, "breaking": False, "reasons": [], "changes": DIFF["changes"][:1]}  # type: ignore[index]
    page = opened("prompts", tab="Compare")
    assert [found.value for found in page.success] == ["Nothing here breaks a program that works with v1."]
    answers["diff"] = {**DIFF, "breaking": False, "reasons": [], "changes": []}
    assert "Nothing changed." in shown(opened("prompts", tab="Compare"))
