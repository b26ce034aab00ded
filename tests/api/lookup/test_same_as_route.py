"""The fast path answers the same bytes as FastAPI's route, whatever the request."""

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from factories.lookup_paths import GREET, HOST, Bearer, LookupPaths, RawHeaders, Units, authorized
from promptuary.core.database import Database

NAMES = [
    "greet",
    "tone",
    "divided",
    "hidden",
    "unlabelled",
    "unknown",
    "Greet",
    "greet%0a",
    "%67reet",
    "..",
    ".",
    "",
    "a" * 129,
]
QUERIES = [
    "",
    "?",
    "?label=production",
    "?label=staging",
    "?label=beta",
    "?label=latest",
    "?label=unknown",
    "?label=",
    "?label=%70roduction",
    "?label=production&",
    "?&label=production",
    "?label=production&label=staging",
    "?label=pro+duction",
    "?label=%ff",
    "?label=%00",
    "?label=" + "x" * 201,
    "?label=production&version=1",
    "?label",
    "?version=1",
    "?version=2",
    "?version=3",
    "?version=0",
    "?version=-1",
    "?version=+1",
    "?version=01",
    "?version=1.0",
    "?version=%31",
    "?version=\xb2",
    "?version=999999999",
    "?version=2147483648",
    "?version=99999999999999999999",
    "?version=x",
    "?version=",
    "?targeting_key=user-1",
    "?targeting_key=user-2",
    "?targeting_key=user%40example.com",
    "?targeting_key=%C3%A9+%E2%9C%93",
    "?targeting_key=%ff",
    "?targeting_key=",
    "?targeting_key=" + "x" * 1000,
    "?targeting_key=" + "x" * 1001,
    "?targeting_key=a&targeting_key=b",
    "?label=beta&targeting_key=user-1",
    "?version=1&targeting_key=user-1",
    "?version=1;targeting_key=user-1",
    "?unknown=1",
    "?label=production&unknown=1",
    "?as_of=2026-03-02T12:00:00Z",
    "?as_of=x",
    "?key=pmt_abcdefghijkl_x",
]


def test_every_query_gets_the_same_bytes_as_from_the_route(prompts: Units, paths: LookupPaths, bearer: Bearer) -> None:
    headers = authorized(bearer("reader"))
    statuses = {paths.same(f"/v1/prompts/divided{query}", headers).status for query in QUERIES}
    assert statuses == {200, 400, 401, 404, 422}
    assert paths.answered_from_memory() > 30


def test_every_name_gets_the_same_bytes_as_from_the_route(
    database: Database, prompts: Units, paths: LookupPaths, bearer: Bearer
) -> None:
    for project in ("default", "shop"):
        headers = authorized(bearer("reader", project))
        for name in NAMES:
            for query in ("", "?label=staging", "?version=1", "?label=production&targeting_key=a"):
                paths.same(f"/v1/prompts/{name}{query}", headers)
    assert paths.answered_from_memory() > 15


def test_every_condition_gets_the_same_bytes_as_from_the_route(prompts: Units, paths: LookupPaths, bearer: Bearer) -> None:
    reader = bearer("reader")
    tag = dict(paths.same(GREET, authorized(reader)).headers)[b"etag"]
    other = dict(paths.same(f"{GREET}?version=2", authorized(reader)).headers)[b"etag"]
    known = [tag, b"W/" + tag, b"*", b" * ", b'"x", ' + tag, tag + b",W/" + other, b'W/"x" , W/' + tag]
    unknown = [
        b"",
        b'""',
        b'"*"',
        other,
        b"W/" + other,
        tag[:-1],
        tag[1:-1],
        b"nonsense",
        b"**",
        b"*, " + other,
        b"\xff",
        tag.upper(),
        b"\xff" + tag,
        b'"x" ' + tag,
    ]
    for conditions, status in ((known, 304), (unknown, 200)):
        for condition in conditions:
            sent = paths.same(GREET, authorized(reader, (b"if-none-match", condition)))
            assert sent.status == status, condition
            assert (sent.body == b"") == (status == 304)
    two_headers = authorized(reader, (b"if-none-match", tag), (b"if-none-match", other))
    assert paths.same(GREET, two_headers).status == 304
    for condition, status in ((tag, 200), (b"*", 200), (other, 412), (b"W/" + tag, 412), (b"nonsense", 412)):
        assert paths.same(GREET, authorized(reader, (b"if-match", condition))).status == status
    both = authorized(reader, (b"if-match", tag), (b"if-none-match", tag))
    assert paths.same(GREET, both).status == 304


def test_every_key_and_host_header_gets_the_same_bytes_as_from_the_route(
    prompts: Units, paths: LookupPaths, key: Callable[..., str]
) -> None:
    good, shop = key("reader").encode(), key("reader", "shop").encode()
    accepted = [b"Bearer " + good, b"bearer " + good, b"BEARER  " + good + b" ", b"Bearer " + shop]
    refused = [
        b"Bearer " + good[:-1],
        b"Bearer",
        b"Bearer ",
        b"",
        good,
        b"Basic " + good,
        b"Bearer " + good + b"x",
        b"Bearer \xff",
    ]
    for header in accepted:
        assert paths.same(GREET, [HOST, (b"authorization", header)]).status == 200
    for header in refused:
        assert paths.same(GREET, [HOST, (b"authorization", header)]).status == 401
    assert paths.same(GREET, [HOST]).status == 401
    first, second = (b"authorization", accepted[0]), (b"authorization", refused[0])
    assert [paths.same(GREET, [HOST, *both]).status for both in ((first, second), (second, first))] == [400, 400]
    for host in (b"127.0.0.1", b"localhost:9", b"LOCALHOST", b"[::1]:8400"):
        assert paths.same(GREET, [(b"host", host), first]).status == 200
    for host in (b"evil.example", b"evil.example:8400", b"", b"127.0.0.1.evil.example", b"localhost@evil.example"):
        assert paths.same(GREET, [(b"host", host), first]).status == 400
    assert paths.same(GREET, [first]).status == 400
    assert paths.same(GREET, [HOST, (b"host", b"evil.example"), first]).status == 400


@pytest.mark.parametrize(
    "path", [f"{GREET}/versions", f"{GREET}/versions/1", "/v1/prompts", "/v1/prompts/", "/v1/prompts/gre%2Fet"]
)
def test_other_paths_go_to_fastapi(prompts: Units, paths: LookupPaths, bearer: Bearer, path: str) -> None:
    paths.same(path, authorized(bearer("reader")))
    assert paths.answered_from_memory() == 0


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "DELETE", "PATCH"])
def test_other_methods_go_to_fastapi(prompts: Units, paths: LookupPaths, bearer: Bearer, method: str) -> None:
    assert paths.same(GREET, authorized(bearer("reader")), method).status == 405
    assert paths.answered_from_memory() == 0


@given(
    name=st.sampled_from(["greet", "divided", "hidden", "unknown"]),
    query=st.lists(
        st.tuples(
            st.sampled_from(["label", "version", "targeting_key", "other"]),
            st.sampled_from(["production", "staging", "1", "2", "9"]) | st.text(max_size=20),
        ),
        max_size=3,
    ),
    plain=st.booleans(),
    condition=st.none() | st.sampled_from(["*", '"x"', 'W/"x", "y"']) | st.text('*W/", x', max_size=9),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_request_gets_the_same_bytes_as_from_the_route(
    prompts: Units,
    paths: LookupPaths,
    headers: RawHeaders,
    name: str,
    query: list[tuple[str, str]],
    plain: bool,
    condition: Any,
) -> None:
    safe = "@:,;" if plain else ""
    encoded = "&".join(f"{field}={quote(value.encode('utf-8', 'replace'), safe=safe)}" for field, value in query)
    more = [] if condition is None else [(b"if-none-match", condition.encode())]
    paths.same(f"/v1/prompts/{name}?{encoded}", [*headers, *more])
