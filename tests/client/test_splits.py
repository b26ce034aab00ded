"""Split labels, decided in the client: the same arm as the server's for every key, and one request an arm."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.fake_registry import DOWN, TRIAGE, CoreDriver, FakeRegistry, received
from client.loopback_server import Connect, Reply, Server, lookup_body, lookup_reply
from promptuary.client import PromptUnavailable, Reason
from promptuary.client.bundle import Bundle
from promptuary.client.lookup.core import LookupPolicy
from promptuary.client.lookup.steps import DiskCopy, FetchStep, ReadDiskStep
from promptuary.client.transport.wire import FetchFailure, HttpResponse, ReceivedVersion, read_lookup_response
from promptuary.client.versions.selector import Selector
from promptuary.prompt.errors import Invalid
from promptuary.prompt.split import Split, divide

SPLIT = divide(f"{TRIAGE}/production", [(1, 90.0), (2, 10.0)])
KEYS = [f"user-{number}" for number in range(300)]
IN = {number: [key for key in KEYS if SPLIT.arm(key).version == number] for number in (1, 2)}
weights = st.lists(
    st.tuples(st.integers(1, 5), st.integers(1, 20).map(float)), min_size=2, max_size=4, unique_by=lambda arm: arm[0]
)
aims: st.SearchStrategy[int | list[tuple[int, float]]] = st.one_of(st.integers(1, 5), weights)


def split_registry() -> FakeRegistry:
    registry = FakeRegistry()
    registry.label_moved("production", [(1, 90.0), (2, 10.0)])
    return registry


@given(
    st.lists(
        st.tuples(aims, st.lists(st.one_of(st.none(), st.text(min_size=1, max_size=8)), max_size=12)), min_size=1, max_size=5
    )
)
def test_every_key_gets_the_version_that_the_server_gives(scenes: list[tuple[Any, list[str | None]]]) -> None:
    registry = FakeRegistry()
    driver = CoreDriver(registry=registry)
    for aim, keys in scenes:
        registry.label_moved("production", aim)
        driver.now += 61  # a first `get` after that is still answered with what was
        if driver.requests:
            driver.get()
        for key in keys:
            assert driver.get(targeting_key=key).version == registry.version_for("production", key)


@given(st.lists(st.text(min_size=1, max_size=12), min_size=1, max_size=60), weights)
def test_there_is_one_request_an_arm_however_many_keys_there_are(keys: list[str], arms: list[tuple[int, float]]) -> None:
    registry = FakeRegistry()
    registry.label_moved("production", arms)
    driver = CoreDriver(registry=registry)
    versions = [driver.get(targeting_key=key).version for key in keys]
    assert versions == [registry.version_for("production", key) for key in keys]
    assert len(driver.requests) == len(set(versions))


def test_arms_are_renewed_one_by_one_with_their_own_etags() -> None:
    driver = CoreDriver(registry=split_registry())
    ada, bob = IN[1][0], IN[2][0]
    driver.get(targeting_key=ada)
    driver.now += 30
    driver.get(targeting_key=bob)
    driver.now += 30
    first = driver.get(targeting_key=IN[1][1])
    assert (first.version, first.variant, first.stale) == (1, "v1", True)
    assert [(selector.targeting_key, etag is None) for selector, etag in driver.requests] == [
        (ada, True),
        (bob, True),
        (IN[1][1], False),
    ]
    assert not driver.get(targeting_key=ada).stale
    assert (driver.get(targeting_key=bob).stale, len(driver.requests)) == (False, 3)


def test_without_a_key_the_first_arm_is_given_and_its_entry_is_that_arms() -> None:
    driver = CoreDriver(registry=split_registry())
    assert driver.get().version == 1
    assert driver.get(targeting_key=IN[1][0]).source == "memory"
    assert driver.get(targeting_key=IN[2][0]).source == "server"


def test_an_arm_that_was_kept_under_another_split_must_be_confirmed_under_this_one() -> None:
    registry = split_registry()
    driver = CoreDriver(registry=registry)
    ada, bob = IN[1][0], IN[2][0]
    driver.get(targeting_key=ada)
    driver.now += 30
    driver.get(targeting_key=bob)
    registry.label_moved("production", [(1, 50.0), (2, 50.0)])
    driver.now += 31
    driver.get(targeting_key=ada)  # renews arm 1, and brings the split
    assert len(driver.requests) == 3
    cached = driver.get(targeting_key=bob)
    assert (cached.version, cached.source) == (2, "memory")  # a version never changes, so nobody waits for it
    assert len(driver.requests) == 4  # … though it is requested: its ttl has not passed, but its split is outdated
    for key in KEYS:
        assert driver.get(targeting_key=key).version == registry.version_for("production", key)
    assert len(driver.requests) == 4


def test_a_label_that_is_split_later_is_asked_for_once_an_arm() -> None:
    registry = FakeRegistry()
    driver = CoreDriver(registry=registry)
    driver.get(targeting_key=IN[1][0])
    assert driver.get(targeting_key=IN[2][0]).source == "memory"
    registry.label_moved("production", [(1, 90.0), (2, 10.0)])
    driver.now += 60
    driver.get()
    assert driver.get(targeting_key=IN[2][0]).source == "server"
    assert {driver.get(targeting_key=key).variant for key in KEYS} == {"v1", "v2"}
    assert len(driver.requests) == 3


def test_a_label_that_is_split_no_longer_is_one_again() -> None:
    registry = split_registry()
    driver = CoreDriver(registry=registry)
    for key in KEYS:
        driver.get(targeting_key=key)
    registry.label_moved("production", 3)
    driver.now += 60
    driver.get(targeting_key=KEYS[0])
    assert {driver.get(targeting_key=key).version for key in KEYS} == {3}
    assert len(driver.requests) == 3


def test_keys_of_other_arms_who_waited_for_the_same_answer_ask_for_their_own() -> None:
    registry, bob = split_registry(), IN[2][0]
    driver = CoreDriver(registry=registry)
    steps = driver.core.lookup(TRIAGE, None, None, bob, None)
    first = steps.send(None)
    assert isinstance(first, FetchStep)
    assert first.fetch.key == Selector(TRIAGE, "production", None, None)
    others = driver.get(targeting_key=IN[1][0])  # who began the request that bob waits for
    second = steps.send(driver.core.entry(Selector(TRIAGE, "production", None, IN[1][0])))
    assert isinstance(second, FetchStep)
    assert second.fetch.key == Selector(TRIAGE, "production", 2, None)
    with pytest.raises(StopIteration) as end:
        steps.send(driver.fetch(second.fetch))
    assert (others.version, end.value.value.version) == (1, 2)


def test_a_split_that_moves_every_time_ends_within_three_questions() -> None:
    driver = CoreDriver(registry=split_registry())
    other = driver.core.lookup(TRIAGE, None, None, IN[2][0], "spare {{ticket}}")
    step, request_count = other.send(None), 0
    driver.get(targeting_key=IN[1][0])
    wrong = driver.core.entry(Selector(TRIAGE, "production", None, IN[1][0]))
    while isinstance(step, FetchStep):
        request_count += 1
        step = other.send(wrong)
    assert request_count == 3
    assert isinstance(step, ReadDiskStep)


def test_all_questions_of_a_lookup_share_one_deadline() -> None:
    driver = CoreDriver(LookupPolicy(deadline=1.0), registry=split_registry())
    steps = driver.core.lookup(TRIAGE, None, None, IN[2][0], None)
    first = steps.send(None)
    driver.get(targeting_key=IN[1][0])
    wrong = driver.core.entry(Selector(TRIAGE, "production", None, IN[1][0]))
    driver.now += 0.6
    second = steps.send(wrong)
    assert isinstance(first, FetchStep)
    assert isinstance(second, FetchStep)
    assert (round(first.seconds, 6), round(second.seconds, 6)) == (0.95, 0.35)
    driver.now += 0.35
    assert isinstance(steps.send(wrong), ReadDiskStep)


def test_a_late_answer_under_an_earlier_split_does_not_bring_it_back() -> None:
    registry, (ada, bob) = split_registry(), (IN[1][0], IN[2][0])
    driver = CoreDriver(registry=registry)
    driver.get(targeting_key=ada)
    slow = driver.core.lookup(TRIAGE, None, None, bob, None).send(None)
    assert isinstance(slow, FetchStep)
    late = driver.outcome(slow.fetch)
    registry.label_moved("production", [(3, 50.0), (2, 50.0)])
    driver.now += 60
    driver.get(targeting_key=ada)
    settled = driver.core.settle(slow.fetch, late)
    assert settled.version.number == 2  # it answers who waited for it …
    entry = driver.core.entry(Selector(TRIAGE, "production", None, ada))
    assert entry is not None
    assert entry.version.split == registry.labels["production"]  # … and is not cached


def test_a_registry_that_went_back_in_time_is_believed_when_the_ttl_is_over() -> None:
    driver = CoreDriver()
    driver.respond = lambda: received(9, revision=90)
    driver.get()
    driver.respond = lambda: received(3, revision=30)  # restored from a backup
    driver.now += 60
    driver.get()
    assert driver.get().version == 3


def test_without_the_server_the_keys_own_arm_is_sought_everywhere_first() -> None:
    ada, bob = IN[1][0], IN[2][0]
    bodies = {"1": lookup_body(version=1), "2": lookup_body("bundled {{ticket}}", version=2)}
    bundle = Bundle({TRIAGE: {"labels": {"production": {"split": SPLIT.as_json()}}, "versions": bodies}}, print)
    stored = DiskCopy(received(2, SPLIT).version, '"2"', 7.0)
    found_in = {}
    for name, driver in {
        "disk": CoreDriver(registry=split_registry(), bundle=bundle, disk_copy=stored),
        "bundle": CoreDriver(registry=split_registry(), bundle=bundle),
        "memory": CoreDriver(registry=split_registry()),
    }.items():
        driver.get(targeting_key=ada)
        driver.registry, driver.respond = None, lambda: DOWN
        prompt = driver.get(targeting_key=bob, fallback="x")
        found_in[name] = (prompt.source, prompt.version)
        assert driver.get(targeting_key=ada).version == 1
    assert found_in == {"disk": ("disk", 2), "bundle": ("bundle", 2), "memory": ("memory", 1)}


def test_an_arm_from_disk_is_confirmed_when_the_server_is_back() -> None:
    ada, bob = IN[1][0], IN[2][0]
    registry = split_registry()
    driver = CoreDriver(LookupPolicy(failures=9), registry=registry, disk_copy=DiskCopy(received(2, SPLIT).version, '"2"', 7.0))
    driver.get(targeting_key=ada)
    driver.registry = None
    assert driver.get(targeting_key=bob).source == "disk"
    driver.registry = registry
    assert driver.get(targeting_key=IN[2][1]).source == "disk"
    assert driver.get(targeting_key=bob).source == "memory"


def test_any_arms_copy_is_better_than_none() -> None:
    driver = CoreDriver(disk_copy=DiskCopy(received(1, SPLIT).version, None, 1.0))
    prompt = driver.get(targeting_key=IN[2][0], fallback="x")
    assert (prompt.source, prompt.version) == ("disk", 1)


@pytest.mark.parametrize("key", ["\ud800", 42, b"ada", True])
@pytest.mark.parametrize("warm", [False, True])
def test_what_is_no_key_is_refused_also_when_it_is_warm(key: Any, warm: bool) -> None:
    driver = CoreDriver(registry=split_registry())
    if warm:
        driver.get()
    with pytest.raises(Invalid, match="targeting key"):
        driver.get(targeting_key=key)


ASTRAY = [
    ("an arm without a split", {"variant": "v1", "split": None}),
    ("another arm than the key's", {"variant": "v2", "split": SPLIT.as_json(), "version": 2}),
    (
        "a split with a hole",
        {"variant": "v1", "split": {"salt": "s", "arms": [{"version": 1, "weight": 1, "buckets": [[0, 9]]}]}},
    ),
    ("no split at all", {"variant": "v1", "split": 7}),
]


@pytest.mark.parametrize("more", [more for _, more in ASTRAY], ids=[name for name, _ in ASTRAY])
def test_an_answer_that_its_own_split_does_not_give_is_not_used(more: dict[str, Any]) -> None:
    answer = HttpResponse(200, {}, json.dumps(lookup_body(**more)).encode())
    outcome = read_lookup_response(answer, Selector(TRIAGE, "production", None, IN[1][0]))
    assert isinstance(outcome, FetchFailure)
    assert outcome.reason == Reason.UNUSABLE
    by_number = read_lookup_response(answer, Selector(TRIAGE, None, more.get("version", 1), None))
    assert isinstance(by_number, ReceivedVersion)  # which is in no arm
    assert by_number.version.split is None


# --- over the wire, with both clients -----------------------------------------------------------------------------------


def splitting(split: Split) -> Reply:
    """Answer lookups of a split label as the server does."""

    def reply(handler: Any) -> None:
        key = parse_qs(urlsplit(handler.path).query).get("targeting_key", [None])[0]
        number = split.arm(key).version
        lookup_reply(lookup_body(f"{number}: {{{{ticket}}}}", version=number, variant=f"v{number}", split=split.as_json()))(
            handler
        )

    return reply


def test_a_crowd_costs_one_request_an_arm(server: Server, connect: Connect) -> None:
    server.reply = splitting(SPLIT)
    client = connect(server.url)
    for key in KEYS:
        prompt = client.get(TRIAGE, targeting_key=key)
        assert prompt.version == SPLIT.arm(key).version
        assert prompt.variant == f"v{prompt.version}"
    assert len(server.requests) == 2


def test_a_restart_without_the_server_finds_each_arms_copy(server: Server, connect: Connect, tmp_path: Path) -> None:
    server.reply = splitting(SPLIT)
    client = connect(server.url)
    for key in KEYS:
        client.get(TRIAGE, targeting_key=key)
    client.settle()
    copies = list((tmp_path / "copies").rglob("*.json"))
    assert len(copies) == 1  # with the arms and the split
    assert not any(key in copy.read_text() for copy in copies for key in ("user-1", "user-2"))
    server.kill()
    again = connect(server.url, breaker_failures=1)
    assert [again.get(TRIAGE, targeting_key=key).version for key in KEYS] == [SPLIT.arm(key).version for key in KEYS]
    assert again.get(TRIAGE, targeting_key=KEYS[0]).source == "disk"


def test_copies_of_arms_that_are_no_more_go(server: Server, connect: Connect, tmp_path: Path) -> None:
    for reply, arms in (
        (splitting(SPLIT), ["1", "2"]),
        (splitting(divide(SPLIT.salt, [(2, 50.0), (3, 50.0)])), ["2", "3"]),
        (lookup_reply(lookup_body()), []),
    ):
        server.reply = reply
        client = connect(server.url)
        for key in KEYS:
            client.get(TRIAGE, targeting_key=key)
        client.settle()
        (copy,) = (tmp_path / "copies").rglob("*.json")
        assert sorted(json.loads(copy.read_text()).get("copies", {})) == arms


@pytest.mark.parametrize("damage", [b"{", b'{"split": 7}', b'{"split": null}', b"[]"])
def test_a_damaged_split_on_disk_is_passed_over(damage: bytes, server: Server, connect: Connect, tmp_path: Path) -> None:
    server.reply = splitting(SPLIT)
    client = connect(server.url)
    client.get(TRIAGE)
    client.settle()
    (copy,) = (tmp_path / "copies").rglob("*.json")
    copy.write_bytes(damage)
    server.kill()
    with pytest.raises(PromptUnavailable):
        connect(server.url).get(TRIAGE)


def test_a_lost_arms_copy_has_another_arm_stand_in(server: Server, connect: Connect, tmp_path: Path) -> None:
    server.reply = splitting(SPLIT)
    client = connect(server.url)
    client.get(TRIAGE, targeting_key=IN[1][0])
    client.settle()
    server.kill()
    prompt = connect(server.url).get(TRIAGE, targeting_key=IN[2][0], fallback="x")
    assert (prompt.source, prompt.version) == ("disk", 1)


def test_a_bundles_label_may_be_split(server: Server, connect: Connect, tmp_path: Path) -> None:
    server.kill()
    path = tmp_path / "bundle.json"
    labels = {"production": 1, "canary": {"split": SPLIT.as_json()}}
    versions = {str(number): lookup_body(f"{number}: {{{{ticket}}}}", version=number) for number in (1, 2)}
    prompts = {TRIAGE: {"labels": labels, "versions": versions, "archived": False}}
    path.write_text(json.dumps({"format": "promptuary-bundle/1", "prompts": prompts, "made_at": "today"}))
    client = connect(server.url, bundle=path, breaker_failures=1)
    for key in KEYS[:50]:
        prompt = client.get(TRIAGE, label="canary", targeting_key=key)
        assert (prompt.source, prompt.version, prompt.variant) == ("bundle", SPLIT.arm(key).version, SPLIT.arm(key).variant)
    assert client.get(TRIAGE, label="canary").version == 1
    assert client.get(TRIAGE, targeting_key=IN[2][0]).variant is None
