"""Prompts taken over from another server: the same lookups, history, past and rollbacks there; and what is refused."""

import io
import re
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest

from promptuary.access.auth.request import LOCAL_PROJECT
from promptuary.cli.connection import ApiClient, ApiRefused
from promptuary.cli.transfer import bundle
from promptuary.prompt.errors import Invalid
from promptuary.prompt.files.bundle import BundledPrompt, parse_bundle, parse_json

TEXT: dict[str, Any] = {"type": "text", "template": "one"}
Change = Callable[[dict[str, Any]], Any]


@pytest.fixture
def old(local: Any) -> ApiClient:
    """The project from which prompts come."""
    return ApiClient(local)


@pytest.fixture
def other(app: Any) -> Iterator[Any]:
    """An HTTP client of another project, which stands for another server, with the operator's rights."""
    from starlette.testclient import TestClient

    async def elsewhere(scope: Any, receive: Any, send: Any) -> None:
        await app({**scope, LOCAL_PROJECT: "other"}, receive, send)

    with TestClient(elsewhere, base_url="http://127.0.0.1") as client:
        yield client


@pytest.fixture
def new(other: Any) -> ApiClient:
    """The project to which prompts go."""
    return ApiClient(other)


@pytest.fixture
def story(old: ApiClient, clock: Any, api: Any, bearer: Callable[..., dict[str, str]]) -> list[datetime]:
    """Three prompts with a past in the old project; gives a moment between any two things that happened."""
    moments = []

    def register(name: str, template: Any, *labels: str, **more: Any) -> Any:
        kind = "text" if isinstance(template, str) else "chat"
        return old.post(f"/prompts/{name}/versions", {"type": kind, "template": template, "labels": list(labels), **more})

    def label(name: str, **body: Any) -> Any:
        return old.put(f"/prompts/{name}/labels/production", body)

    acts: list[Callable[[], Any]] = [
        lambda: register("tone", "Be {{how}}.", "production", variables={"how": {"type": "string"}}),
        lambda: register("p", "{{> tone}} one", "production", message="first", tags=["a", "b"]),
        lambda: register("tone", "Be {{how}}, {{> word@latest}}"[:12], "production"),
        lambda: register("word", "please", "production"),
        lambda: register("tone", "{{> word}}, be {{how}}.", "production"),
        lambda: register("p", "{{> tone}} two {{> tone@1}}", "staging", tags=["c"]),
        lambda: label("p", split=[{"version": 1, "weight": 90}, {"version": 2, "weight": 10}], reason="careful"),
        lambda: label("p", split=[{"version": 1, "weight": 50}, {"version": 2, "weight": 50}], reason="bolder"),
        lambda: old.post("/prompts/word/archive", {"reason": "for now"}),
        lambda: label("p", version=2, reason="good"),
        lambda: api.post("/v1/prompts/p/versions", json={**TEXT, "labels": ["staging"]}, headers=bearer("author")),
        lambda: old.post("/prompts/word/restore", {"reason": "after all"}),
        lambda: label("p", version=2, reason="confirmed"),
        lambda: old.post("/prompts/word/archive", {"reason": "for good"}),
    ]
    for act in acts:
        act()
        clock.move(seconds=1)
        moments.append(clock())
        clock.move(seconds=1)
    return moments


def exported(api: ApiClient, *names: str) -> str:
    written = io.StringIO()
    bundle._export(api, written, names, (), whole=True)
    return written.getvalue()


def prompts_of(text: str) -> list[BundledPrompt]:
    return parse_bundle(parse_json(text, "b.json"), "b.json")


def import_prompt_history(api: ApiClient, text: str) -> list[str]:
    return bundle.apply_import(api, bundle.plan_import(api, prompts_of(text)))


def answer(client: Any, path: str, **query: Any) -> tuple[int, Any]:
    """Give an answer without the revisions, which each project counts by itself."""
    found = client.get(f"/v1{path}", params=query)

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: plain(item) for key, item in value.items() if key not in ("revision", "next_cursor")}
        return [plain(item) for item in value] if isinstance(value, list) else value

    return found.status_code, plain(found.json())["items"] if "items" in found.json() else plain(found.json())


def told(client: Any, moments: list[datetime]) -> list[Any]:
    """Give all that a project answers about the three prompts, now and at each moment."""
    found = [answer(client, "/prompts"), answer(client, "/prompts", archived=True), answer(client, "/prompts", tag="c")]
    for name in ("tone", "p", "word"):
        found += [answer(client, f"/prompts/{name}/{what}") for what in ("versions", "dependents")]
        status, events = answer(client, f"/prompts/{name}/events")
        found.append((status, sorted(events, key=lambda event: (event["at"], event["kind"]))))
        for label in ("production", "staging", "latest"):
            found.append(answer(client, f"/prompts/{name}", label=label))
            found.append(answer(client, f"/prompts/{name}", label=label, targeting_key="user-7"))
            found += [answer(client, f"/prompts/{name}", label=label, as_of=moment.isoformat()) for moment in moments]
            found.append(answer(client, f"/prompts/{name}/labels/{label}/history"))
    return found


def without_projects(told: list[Any]) -> list[Any]:
    return [
        (
            status,
            {**body, "detail": body["detail"].replace("'other'", "'default'")}
            if isinstance(body, dict) and "detail" in body
            else body,
        )
        for status, body in told
    ]


def written(client: Any) -> Any:
    """Give what changes with every write."""
    return [client.get(f"/v1/{path}").json() for path in ("prompts", "prompts?archived=true", "audit?limit=200")]


def events_of(text: str) -> dict[str, Any]:
    return dict(parse_json(text, "b.json")["prompts"])


# --- the round trip -----------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("database")
def test_another_server_answers_as_the_first_did_now_and_then(
    story: list[datetime], local: Any, other: Any, old: ApiClient, new: ApiClient
) -> None:
    text = exported(old)
    assert import_prompt_history(new, text) == []
    expected = told(local, story)
    assert without_projects(told(other, story)) == expected
    assert {status for status, _ in expected} == {200, 404}
    for client in (local, other):
        client.post("/v1/prompts/p/labels/production/rollback", json={})
    assert answer(other, "/prompts/p", targeting_key="user-7") == answer(local, "/prompts/p", targeting_key="user-7")
    assert other.get("/v1/audit/verify").json()["broken_at"] is None


def undated(bundle: str) -> str:
    """Leave out when a bundle was written."""
    return re.sub(r'"exported_at": "[^"]*"', "", bundle)


@pytest.mark.usefixtures("database")
def test_the_same_import_again_changes_nothing_and_a_later_one_goes_on(
    story: list[datetime], local: Any, other: Any, old: ApiClient, new: ApiClient, clock: Any
) -> None:
    import_prompt_history(new, exported(old))
    before = written(other)
    assert import_prompt_history(new, exported(old)) == []
    assert written(other) == before
    assert undated(exported(new)) == undated(exported(old))

    old.post("/prompts/word/restore", {})
    old.post("/prompts/p/versions", {**TEXT, "template": "four", "labels": ["canary", "production"]})
    clock.move(hours=1)
    import_prompt_history(new, exported(old))
    assert without_projects(told(other, story)) == told(local, story)
    older = written(local)
    assert import_prompt_history(old, exported(new)) == []
    assert written(local) == older


@pytest.mark.usefixtures("database")
def test_an_import_is_an_audit_row_and_an_event_for_everything_that_it_brings(
    story: list[datetime], local: Any, other: Any, old: ApiClient, new: ApiClient
) -> None:
    import_prompt_history(new, exported(old))
    rows = other.get("/v1/audit?limit=200").json()["items"]
    assert {(row["action"], row["actor"]) for row in rows} == {("prompt.imported", "local")}
    p = [row for row in rows if row["subject"] == "p"]
    digests = {number: digest for row in p for number, digest in row["detail"]["versions"].items()}
    assert digests == {str(one["version"]): one["digest"] for one in answer(local, "/prompts/p/versions")[1]}
    moves = [move for row in p for move in row["detail"]["moves"]]
    assert moves[0] == {"label": "production", "version": 1, "by": "local"}
    assert [row["detail"]["archived"] for row in rows if row["subject"] == "word"][-1] is True
    kinds = [event["kind"] for name in ("p", "tone", "word") for event in new.items(f"/prompts/{name}/events")]
    assert {kind: kinds.count(kind) for kind in kinds} == {
        "version.created": 7,
        "label.moved": 11,
        "prompt.archived": 2,
        "prompt.restored": 1,
    }


@pytest.mark.usefixtures("sqlite")
def test_many_small_requests_come_to_the_same(
    story: list[datetime], local: Any, other: Any, old: ApiClient, new: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundle, "REQUEST_BYTES", 1)
    import_prompt_history(new, exported(old))
    assert without_projects(told(other, story)) == told(local, story)
    before = written(other)
    import_prompt_history(new, exported(old))
    assert written(other) == before


@pytest.mark.usefixtures("sqlite", "story")
def test_a_pin_that_leads_nowhere_is_told_and_the_text_is_there_all_the_same(
    local: Any, other: Any, old: ApiClient, new: ApiClient
) -> None:
    assert import_prompt_history(new, exported(old, "p")) == [
        "p  version 1 has the text of tone@1, which does not exist here",
        "p  version 2 has the text of tone@3, which does not exist here",
        "p  version 2 has the text of tone@1, which does not exist here",
    ]
    found = answer(other, "/prompts/p", version=2)[1]
    assert found["includes"] == []
    assert {**found, "includes": None} == {**answer(local, "/prompts/p", version=2)[1], "includes": None}


@pytest.mark.usefixtures("sqlite", "story")
def test_a_prompt_that_was_archived_here_by_itself_stays_so(other: Any, old: ApiClient, new: ApiClient) -> None:
    import_prompt_history(new, exported(old))
    new.post("/prompts/p/archive", {"reason": "here"})
    old.post("/prompts/p/versions", {**TEXT, "template": "four"})
    old.post("/prompts/p/archive", {"reason": "there"})
    import_prompt_history(new, exported(old))
    assert answer(other, "/prompts/p", version=4)[0] == 200
    assert answer(other, "/prompts/p/events", kind="prompt.archived")[1][0]["detail"] == {"reason": "here"}


# --- conflicts ----------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("database")
def test_a_number_that_has_another_content_here_is_a_conflict_that_leaves_nothing(
    story: list[datetime], other: Any, old: ApiClient, new: ApiClient
) -> None:
    new.post("/prompts/p/versions", {**TEXT, "template": "mine", "labels": ["production"]})
    new.post("/prompts/p/versions", {**TEXT, "template": "mine too"})
    before = written(other)
    text = exported(old)
    with pytest.raises(
        Invalid, match="nothing was imported: p: 'p' is there with another content under the same number: version 1, 2"
    ):
        import_prompt_history(new, text)
    p = next(prompt for prompt in prompts_of(text) if prompt.name == "p")
    with pytest.raises(ApiRefused, match="version 1, 2") as refused:
        new.post("/prompts/p/import", {"versions": [sendable(p, number) for number in p.versions]})
    assert refused.value.code == "conflict"
    assert written(other) == before


@pytest.mark.usefixtures("database")
def test_a_label_that_has_gone_another_way_here_is_a_conflict_that_leaves_nothing(
    story: list[datetime], other: Any, old: ApiClient, new: ApiClient, clock: Any
) -> None:
    import_prompt_history(new, exported(old))
    clock.move(seconds=1)
    new.put("/prompts/p/labels/production", {"version": 1, "reason": "here"})
    clock.move(seconds=1)
    old.put("/prompts/p/labels/production", {"version": 3, "reason": "there"})
    old.post("/prompts/p/versions", {**TEXT, "template": "four"})
    old.post("/prompts/tone/versions", {**TEXT, "template": "four"})
    before = written(other)
    with pytest.raises(Invalid, match="p: the label 'production' of 'p' has gone another way here"):
        import_prompt_history(new, exported(old))
    assert written(other) == before


def sendable(prompt: BundledPrompt, number: int) -> dict[str, Any]:
    from promptuary.prompt.files.bundle import IMPORTED_FIELDS

    return {part: prompt.versions[number][part] for part in IMPORTED_FIELDS}


# --- bad input ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def good(old: ApiClient, clock: Any) -> dict[str, Any]:
    """An import that would be taken: two versions, a label that moved and was split, an archival."""
    for words in ("one", "two"):
        old.post("/prompts/q/versions", {**TEXT, "template": words, "labels": ["production"]})
        clock.move(seconds=1)
    old.put("/prompts/q/labels/production", {"split": [{"version": 2, "weight": 1}, {"version": 1, "weight": 1}]})
    old.post("/prompts/q/archive", {})
    clock.move(seconds=1)
    (q,) = prompts_of(exported(old, "q"))
    return {
        "versions": [sendable(q, 1), sendable(q, 2)],
        "history": [dict(move) for move in q.history],
        "archivals": [dict(turn) for turn in q.archivals],
    }


def change(path: str, value: Any) -> Change:
    """Give what sets a value deep in a body; `...` takes it away."""

    def changed(body: dict[str, Any]) -> None:
        *way, last = [int(part) if part.isdigit() else part for part in path.split(".")]
        at: Any = body
        for part in way:
            at = at[part]
        if value is ...:
            del at[last]
        else:
            at[last] = value

    return changed


LATER = "2030-01-01T00:00:00Z"
ZEROS = "sha256:" + "0" * 64


@pytest.mark.usefixtures("sqlite")
@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (change("versions.0.digest", ZEROS), "versions.1.digest: is not that of the content"),
        (change("versions.0.template", "changed"), "versions.1.digest: is not that of the content"),
        (change("versions.0.digest", "sha256:nonsense"), "versions.0.digest: String should match pattern"),
        (change("versions.1.version", 1), "versions: has a number twice"),
        (change("versions.1.version", 3), "version 2 is missing: numbers have no gap, and the newest here is 0"),
        (change("versions.0", ...), "version 1 is missing: numbers have no gap"),
        (change("versions.0.version", 0), "versions.0.version: Input should be greater than or equal to 1"),
        (change("versions.0.version", -1), "versions.0.version"),
        (change("versions.0.version", "1"), "versions.0.version: must be an integer"),
        (change("versions.0.version", True), "versions.0.version: must be an integer"),
        (change("versions.0.version", 2**31), "versions.0.version"),
        (change("versions.0.created_at", LATER), "versions.1.created_at: is still to come"),
        (change("versions.0.created_at", "2026-03-02T12:00:00"), "versions.0.created_at: Input should have timezone info"),
        (change("versions.0.created_at", 1700000000), "versions.0.created_at: must be a moment as a text"),
        (change("versions.0.author", ""), "versions.0.author"),
        (change("versions.0.author", ...), "versions.0.author: is required"),
        (change("versions.0.labels", ["production"]), "versions.0.labels: is not a known field"),
        (change("versions.0.type", "chat"), "a text prompt has one string as its template"),
        (change("versions.0.includes", [{"reference": "x"}]), "versions.0.includes.0.name: is required"),
        (change("history.0.label", "latest"), "labels.latest: is given by the registry itself"),
        (change("history.0.label", "Not A Name"), "history.0.label"),
        (change("history.0.version", 7), "history.0: leads to a version that is not there; the newest is 2"),
        (change("history.1.previous", 2), "history.1.previous: is not where the move before it led, which is 1"),
        (change("history.1.at", LATER), "history.1.at: is still to come"),
        (change("history.0.previous", 2), "the label 'production' of 'q' has gone another way here"),
        (change("history.2.split.salt", "other/production"), "history.2.split: is no split of this label"),
        (change("history.2.version", 1), "history.2.split: is no split of this label"),
        (change("history.2.split.arms.1.version", 2), "history.2.split: is no split of this label"),
        (change("history.2.split.arms.1.weight", -1.0), "history.2.split: is no split of this label"),
        (change("history.2.split.arms.1.version", 3), "history.2: leads to a version that is not there"),
        (change("history.2.split.arms.0.buckets", [[0, 1]]), "the split is not whole"),
        (change("history.2.split.arms.0.buckets", [[0, 1, 2]]), "history.2.split.arms.0.buckets.0"),
        (change("history.2.split.arms", []), "history.2.split.arms"),
        (change("archivals.0.archived", False), "archivals: must be archived and restored by turns"),
        (change("archivals.0.at", LATER), "archivals.0.at: is still to come"),
        (change("archivals.0.at", None), "archivals.0.at"),
        (change("versions", []), "versions: has none, and there is none here"),
        (change("is_admin", True), "is_admin: is not a known field"),
    ],
)
def test_what_cannot_be_is_refused_with_its_place_and_leaves_nothing(
    good: dict[str, Any], other: Any, wrong: Change, said: str
) -> None:
    before = written(other)
    wrong(good)
    answered = other.post("/v1/prompts/q/import", json=good)
    assert answered.status_code in (409, 422), answered.text
    problem = answered.json()
    field_errors = [f"{fault['path']}: {fault['message']}" for fault in problem.get("errors", [])]
    assert any(said in text for text in [problem["detail"], *field_errors]), problem
    assert written(other) == before


@pytest.mark.usefixtures("sqlite")
def test_a_good_import_is_taken_once_the_preview_says_so(good: dict[str, Any], other: Any) -> None:
    digests = {str(version["version"]): version["digest"] for version in good["versions"]}
    asked = {"digests": digests, "history": good["history"], "archivals": good["archivals"]}
    before = written(other)
    shown = other.post("/v1/prompts/q/import/preview", json=asked).json()
    assert written(other) == before
    assert (shown["newest"], shown["versions"], len(shown["moves"]), shown["archivals"]) == (2, [1, 2], 3, 1)
    done = other.post("/v1/prompts/q/import", json=good)
    assert (done.status_code, done.json()) == (200, shown)
    nothing = {**shown, "versions": [], "moves": [], "archivals": 0}
    assert other.post("/v1/prompts/q/import", json=good).json() == nothing
    assert other.post("/v1/prompts/q/import/preview", json=asked).json() == nothing


@pytest.mark.usefixtures("sqlite")
@pytest.mark.parametrize(
    ("digests", "status", "said"),
    [
        ({"1": ZEROS}, 409, "version 1"),
        ({"3": ZEROS}, 200, ""),
        ({"4": ZEROS}, 422, "version 3 is missing"),
        ({"one": ZEROS}, 422, "digests.one"),
        ({"03": ZEROS}, 422, "digests.03"),
        ({"0": ZEROS}, 422, "digests.0"),
        ({"9999999999": ZEROS}, 422, "digests.9999999999"),
        ({"3": "x"}, 422, "digests.3"),
    ],
)
def test_a_preview_names_what_is_in_the_way(
    good: dict[str, Any], other: Any, digests: dict[str, str], status: int, said: str
) -> None:
    other.post("/v1/prompts/q/import", json=good)
    answered = other.post("/v1/prompts/q/import/preview", json={"digests": digests})
    assert answered.status_code == status
    assert said in answered.text


@pytest.mark.usefixtures("sqlite")
def test_a_pin_is_believed_only_where_its_text_is_in_the_content(old: ApiClient, new: ApiClient) -> None:
    for words in ("kind", "short"):
        old.post("/prompts/tone/versions", {**TEXT, "template": words, "labels": ["production"]})
    old.post("/prompts/p/versions", {**TEXT, "template": "{{> tone}}"})
    old.post("/prompts/talk/versions", {"type": "chat", "template": [{"role": "user", "content": "x"}]})
    by_name = {prompt.name: prompt for prompt in prompts_of(exported(old))}
    for name in ("tone", "talk"):
        new.post(
            f"/prompts/{name}/import", {"versions": [sendable(by_name[name], number) for number in by_name[name].versions]}
        )
    version = sendable(by_name["p"], 1)
    for forged in (
        {"version": 1, "digest": by_name["tone"].versions[1]["digest"]},
        {"name": "talk", "version": 1, "digest": by_name["talk"].versions[1]["digest"]},
    ):
        body = {"versions": [{**version, "includes": [{**version["includes"][0], **forged}]}]}
        with pytest.raises(ApiRefused, match="'tone' is not what the content has under it"):
            new.post("/prompts/p/import", body)
    done = new.post("/prompts/p/import", {"versions": [version]})
    assert done["unpinned"] == []
    assert new.get("/prompts/tone/dependents")["dependents"][0]["pinned"] == 2


@pytest.mark.usefixtures("sqlite")
def test_a_content_that_cannot_be_rendered_here_is_not_imported(other: Any, good: dict[str, Any]) -> None:
    from promptuary.prompt.content import Content
    from promptuary.prompt.digest import content_digest

    content = Content(type="text", template="{{#open}}")
    good["versions"][0] |= {"template": content.template, "digest": content_digest(content)}
    problem = other.post("/v1/prompts/q/import", json=good).json()
    assert problem["code"] == "invalid_prompt"
    assert problem["errors"][0]["path"] == "versions.1.template"


@pytest.mark.usefixtures("sqlite")
def test_tags_of_lists_are_the_newest_versions(old: ApiClient, new: ApiClient) -> None:
    for tags in (["a"], ["b"], []):
        old.post("/prompts/q/versions", {**TEXT, "template": f"with {tags}", "tags": tags})
    import_prompt_history(new, exported(old))
    assert [list(new.items("/prompts", tag=tag)) for tag in ("a", "b")] == [[], []]
    assert [version["tags"] for version in new.items("/prompts/q/versions")] == [[], ["b"], ["a"]]


@pytest.mark.usefixtures("sqlite")
def test_history_may_come_in_pieces_but_not_begin_in_the_middle(other: Any, good: dict[str, Any]) -> None:
    assert other.post("/v1/prompts/q/import", json={"versions": good["versions"]}).status_code == 200
    late = other.post("/v1/prompts/q/import", json={"history": good["history"][1:]})
    assert late.status_code == 409
    for start, end in ((0, 1), (1, 2), (1, 3), (0, 3)):
        assert other.post("/v1/prompts/q/import", json={"history": good["history"][start:end]}).status_code == 200
    assert len(other.get("/v1/prompts/q/labels/production/history").json()["items"]) == 3


@pytest.mark.usefixtures("sqlite")
def test_only_an_admin_imports(api: Any, bearer: Callable[..., dict[str, str]], good: dict[str, Any]) -> None:
    assert api.post("/v1/prompts/q/import", json=good, headers=bearer("author", "other")).status_code == 403
    assert api.post("/v1/prompts/q/import", json=good, headers=bearer("admin", "other")).status_code == 200


@pytest.mark.usefixtures("sqlite")
def test_a_prompts_events_are_listed_in_pages_and_by_kind(local: Any) -> None:
    for words in ("one", "two"):
        local.post("/v1/prompts/q/versions", json={**TEXT, "template": words, "labels": ["production"]})
    local.post("/v1/prompts/q/archive", json={"reason": "why"})
    first = local.get("/v1/prompts/q/events?limit=2").json()
    assert [(event["revision"], event["kind"]) for event in first["items"]] == [(5, "prompt.archived"), (4, "label.moved")]
    assert first["items"][0]["detail"] == {"reason": "why"}
    rest = local.get("/v1/prompts/q/events", params={"cursor": first["next_cursor"]}).json()
    assert [event["revision"] for event in rest["items"]] == [3, 2, 1]
    by_kind = local.get("/v1/prompts/q/events?kind=label.moved&kind=prompt.restored").json()["items"]
    assert [event["revision"] for event in by_kind] == [4, 2]
    assert local.get("/v1/prompts/q/events?kind=nonsense").status_code == 422
    assert local.get("/v1/prompts/never/events").status_code == 404
