"""Wrong keys are answered late and then refused, by address and in all; a key has limits of its own."""

from typing import Any

import pytest
from structlog.testing import capture_logs

from promptuary.access.auth.rate_limits import (
    DELAYED_AT_ONCE,
    FREE_TRIES,
    LONGEST_DELAY_SECONDS,
    REMEMBERED,
    Buckets,
    RateLimits,
    network_of,
)
from promptuary.core.errors import TooManyRequests

ADDRESS, OTHER = "192.0.2.1", "192.0.2.2"


class Seconds:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


def rate_limits(seconds: Seconds, **limits: int) -> RateLimits:
    return RateLimits(**{"wrong_keys": 0, "all_wrong_keys": 0, "key_requests": 0, "key_lookups": 0, **limits}, clock=seconds)


def test_wrong_keys_of_one_address_are_slowed_and_then_refused(seconds: Seconds) -> None:
    limits = rate_limits(seconds, wrong_keys=20)
    delays = [limits.count_wrong_key(ADDRESS) for _ in range(20)]
    assert delays[:FREE_TRIES] == [0.0] * FREE_TRIES
    assert delays[FREE_TRIES:] == sorted(delays[FREE_TRIES:])
    assert 0 < delays[FREE_TRIES] < delays[-1] == LONGEST_DELAY_SECONDS
    with capture_logs() as logs:
        for _ in range(3):
            with pytest.raises(TooManyRequests, match="too many wrong keys came from this address") as refused:
                limits.count_wrong_key(ADDRESS)
    assert refused.value.retry_after == 3
    assert [(entry["event"], entry["address"]) for entry in logs] == [("too many wrong keys", ADDRESS)]
    assert limits.counts == {"wrong_key": 23, "wrong_key_limited": 3}
    assert limits.is_suspicious(ADDRESS)
    assert not limits.is_suspicious(OTHER)
    assert limits.count_wrong_key(OTHER) == 0


def test_an_address_may_try_again_after_the_time_that_it_was_told(seconds: Seconds) -> None:
    limits = rate_limits(seconds, wrong_keys=1)
    limits.count_wrong_key(ADDRESS)
    with pytest.raises(TooManyRequests) as refused:
        limits.count_wrong_key(ADDRESS)
    seconds.now += refused.value.retry_after
    limits.count_wrong_key(ADDRESS)


def test_wrong_keys_of_many_addresses_are_refused_together(seconds: Seconds) -> None:
    limits = rate_limits(seconds, wrong_keys=10, all_wrong_keys=100)
    for number in range(100):
        limits.count_wrong_key(f"192.0.2.{number}")
    with pytest.raises(TooManyRequests, match="from all addresses"):
        limits.count_wrong_key("192.0.2.200")


def test_few_wrong_keys_are_delayed_at_once(seconds: Seconds) -> None:
    limits = rate_limits(seconds, wrong_keys=1000)
    for _ in range(20):
        limits.count_wrong_key(ADDRESS)
    for _ in range(DELAYED_AT_ONCE):
        limits.begin_delay()
    assert limits.count_wrong_key(ADDRESS) == 0.0
    limits.end_delay()
    assert limits.count_wrong_key(ADDRESS) == LONGEST_DELAY_SECONDS


def test_an_ipv6_network_is_one_address() -> None:
    assert network_of("2001:db8::1") == network_of("2001:db8::ffff") == "2001:db8::/64"
    assert network_of("2001:db8:0:1::1") != network_of("2001:db8::1")
    assert network_of("::ffff:192.0.2.1") == ADDRESS
    assert network_of(None) == "unknown"


def test_the_addresses_that_are_remembered_are_bounded(seconds: Seconds) -> None:
    buckets = Buckets(1, seconds)
    for number in range(REMEMBERED + 1):
        assert buckets.take(str(number))
    assert buckets.take("0")  # forgotten
    assert not buckets.take(str(REMEMBERED))


def test_a_key_has_a_limit_of_requests_and_one_of_lookups(seconds: Seconds) -> None:
    limits = rate_limits(seconds, key_requests=2, key_lookups=3)
    for _ in range(2):
        limits.count_request("a", is_lookup=False)
    for _ in range(3):
        limits.count_request("a", is_lookup=True)
    for is_lookup, noun in ((False, "2 requests"), (True, "3 lookups")):
        with pytest.raises(TooManyRequests, match=f"limit of {noun} a minute"):
            limits.count_request("a", is_lookup=is_lookup)
    limits.count_request("b", is_lookup=False)
    limits.count_request(None, is_lookup=False)


# --- in the service -----------------------------------------------------------------------------------------------------


def test_wrong_keys_get_429_and_the_valid_key_of_the_same_address_is_answered(api: Any, local: Any, bearer: Any) -> None:
    local.post("/v1/prompts/p/versions", json={"type": "text", "template": "x", "labels": ["production"]})
    headers, wrong = bearer("reader"), {"Authorization": "Bearer wrong"}
    api.app.services.rate_limits._by_address.per_minute = 4
    statuses = [api.get(path, headers=wrong).status_code for path in ("/v1/prompts/p", "/v1/self") * 3]
    assert statuses == [401] * 4 + [429] * 2
    refused = api.post("/v1/prompts/p/versions", json={}, headers=wrong)
    assert (refused.status_code, refused.json()["code"], refused.headers["retry-after"]) == (429, "too_many_requests", "15")
    assert api.get("/metrics", headers=wrong).status_code == 429
    assert [api.get(path, headers=headers).status_code for path in ("/v1/prompts/p", "/v1/self") * 3] == [200] * 6
    assert api.get("/v1/self").status_code == 401  # no key is no wrong key
    metrics = api.get("/metrics", headers=bearer("operator")).text
    assert "promptuary_wrong_keys_total 8.0" in metrics
    assert 'promptuary_requests_limited_total{limit="wrong_keys"} 4.0' in metrics


@pytest.mark.parametrize("wrong", ["wrong", "pmc_0000-0000-0000"])
def test_wrong_keys_and_codes_at_the_sign_in_count_too(api: Any, local: Any, wrong: str) -> None:
    api.app.services.rate_limits._by_address.per_minute = 4
    responses = [api.post("/v1/sessions", headers={"Authorization": f"Bearer {wrong}"}) for _ in range(6)]
    assert [response.status_code for response in responses] == [401] * 4 + [429] * 2
    dana = local.post("/v1/people", json={"name": "Dana", "role": "editor"}).json()["id"]
    code = local.post(f"/v1/people/{dana}/codes").json()["code"]
    assert api.post("/v1/sessions", headers={"Authorization": f"Bearer {code}"}).status_code == 201


@pytest.mark.parametrize("settings_of_app", [{"key_lookup_limit": 3, "key_request_limit": 2}], ids=["limited"])
def test_a_key_over_its_limit_gets_429(limited_api: Any, bearer: Any) -> None:
    headers = bearer("author")
    body = {"type": "text", "template": "x", "labels": ["production"]}
    assert limited_api.post("/v1/prompts/p/versions", json=body, headers=headers).status_code == 201
    lookups = [limited_api.get("/v1/prompts/p", headers=headers) for _ in range(5)]
    assert [lookup.status_code for lookup in lookups] == [200] * 3 + [429] * 2
    assert lookups[-1].headers["retry-after"] == "20"
    assert limited_api.get("/v1/self", headers=headers).status_code == 200
    assert limited_api.get("/v1/self", headers=headers).status_code == 429
    assert limited_api.get("/v1/self", headers=bearer("author")).status_code == 200


@pytest.mark.parametrize("settings_of_app", [{"key_lookup_limit": 3}], ids=["limited"])
def test_a_session_over_the_limit_of_lookups_gets_429(limited_api: Any, local: Any) -> None:
    local.post("/v1/prompts/p/versions", json={"type": "text", "template": "x", "labels": ["production"]})
    dana = local.post("/v1/people", json={"name": "Dana", "role": "editor"}).json()["id"]
    code = local.post(f"/v1/people/{dana}/codes").json()["code"]
    session = limited_api.post("/v1/sessions", headers={"Authorization": f"Bearer {code}"}).json()
    headers = {"Authorization": f"Bearer {session['token']}"}
    assert [limited_api.get("/v1/prompts/p", headers=headers).status_code for _ in range(5)] == [200] * 3 + [429] * 2


@pytest.mark.parametrize("settings_of_app", [{"key_lookup_limit": 3}], ids=["limited"])
def test_a_lookup_that_finds_nothing_counts_once(limited_api: Any, bearer: Any) -> None:
    headers = bearer("author")
    body = {"type": "text", "template": "x", "labels": ["production"]}
    assert limited_api.post("/v1/prompts/p/versions", json=body, headers=headers).status_code == 201
    lookups = [limited_api.get(f"/v1/prompts/{name}", headers=headers) for name in ("p", "absent", "absent", "absent", "p")]
    assert [lookup.status_code for lookup in lookups] == [200, 404, 404, 429, 429]


@pytest.fixture
def limited_api(opened_database: Any, settings: Any, clock: Any, settings_of_app: dict[str, int]) -> Any:
    """A client of the service with other limits."""
    from starlette.testclient import TestClient

    from promptuary.api.app import create_app

    app = create_app(settings.model_copy(update=settings_of_app), database=opened_database, clock=clock)
    with TestClient(app, base_url="http://127.0.0.1") as client:
        yield client
    app.close()
