"""Spans mean the same, however they are cut into requests, and in whatever order these come."""

import json
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import select

from factories.otlp_requests import chat, request, span
from factories.reported_calls import AT, CONTENTS, TRIAGE, call, calls, draw_from, link, links
from promptuary.prompt.content import Content
from promptuary.registry.service import Registry
from promptuary.traffic.calls.contents_codec import decode_contents
from promptuary.traffic.calls.model_call import CallContents, PromptMark, SpanLink
from promptuary.traffic.counters.store import SeriesHour
from promptuary.traffic.intake.settling.settling import SampleSettling
from promptuary.traffic.otlp.traces import read_traces
from promptuary.traffic.tables import SpanContentsRow, TrafficSettingsRow
from traffic.intake.conftest import Traffic

pytestmark = pytest.mark.usefixtures("database")
Facts = dict[str, Any]
PARTITIONS = 25
BEGAN = int(AT.timestamp()) * 10**9
RULES = [{"prompt": "support.rule", "service": "support"}]
SECRET = {"type": "text", "template": "{{name}}", "variables": {"name": {"type": "string", "sensitive": True}}}
TICKET = {"gen_ai.prompt.variable.ticket": "It is lost. Write to ann@example.org."}


@pytest.fixture
def shop(traffic: Traffic, unit_as: Callable[..., Any], clock: Any) -> Traffic:
    """Traffic with a version that has a sensitive variable, and with a rule."""
    with unit_as("editor") as unit:
        Registry(unit).register("support.secret", Content.model_validate(SECRET))
        Registry(unit).register("support.rule", Content.model_validate({"type": "text", "template": "x"}))
    with traffic.database.write() as session:
        session.add(TrafficSettingsRow(project_id=traffic.project, user_key=b"k" * 32, settings={}, rules=RULES))
    return traffic


def scene(trace: str) -> list[dict[str, Any]]:
    """Return the spans of a trace: an agent with two prompts, calls under them in several depths, and some beside them."""
    around: dict[str, tuple[str | None, dict[str, Any]]] = {
        "a0": (None, {"user.id": "ann", "session.id": "session-1"}),
        "a1": ("a0", {"gen_ai.prompt.name": "support.triage", "gen_ai.prompt.version": "1", **TICKET}),
        "a2": ("a1", {}),
        "a3": (
            "a0",
            {"gen_ai.prompt.name": "support.secret", "gen_ai.prompt.version": "1", "gen_ai.prompt.variable.name": "Bo Li"},
        ),
        "a4": ("a3", {"session.id": "session-2"}),
        "a5": ("a0", {"gen_ai.prompt.name": "support.unknown", **TICKET}),
        "a6": ("a0", {"gen_ai.operation.name": "invoke_agent"}),
    }
    own = {
        "b0": ("a2", {}),
        "b1": ("a1", {"gen_ai.prompt.name": "support.triage"}),
        "b2": ("a2", {"gen_ai.prompt.name": "support.triage", "gen_ai.prompt.version": "2", "user.id": "bob"}),
        "b3": ("a1", {"gen_ai.prompt.name": "support.other", "session.id": "session-3"}),
        "b4": ("a4", {}),
        "b5": ("a3", {"gen_ai.prompt.name": "support.secret"}),
        "b6": ("a5", {}),
        "b7": ("a6", {}),
        "b8": ("a4", {"gen_ai.prompt.name": "support.triage", "gen_ai.prompt.version": "1"}),
        "b9": (None, {}),
    }
    messages = json.dumps([{"role": "user", "parts": [{"type": "text", "content": "I am Bo Li, bo@example.org."}]}])
    spans = []
    for make, members in ((span, around), (chat, own)):
        for number, (parent, attributes) in members.items():
            content = {"gen_ai.input.messages": messages} if make is chat else {}
            fields = {} if parent is None else {"parentSpanId": f"{parent:0>16}"}
            at = {"startTimeUnixNano": str(BEGAN), "endTimeUnixNano": str(BEGAN + 20_000_000)}
            spans.append(make({**attributes, **content}, traceId=trace, spanId=f"{number:0>16}", **fields, **at))
    spans[-2]["status"] = {"code": 2}
    return spans


def partitions(spans: Sequence[dict[str, Any]], seed: int) -> Iterator[list[dict[str, Any]]]:
    """Yield the spans in a random order, in requests of random sizes."""
    source = random.Random(seed)
    shuffled = source.sample(spans, len(spans))
    while shuffled:
        size = source.choice([1, 1, 2, 5, len(spans)])
        yield shuffled[:size]
        shuffled = shuffled[size:]


def facts_of(traffic: Traffic, clock: Any, trace: str, requests: Iterator[list[dict[str, Any]]]) -> Facts:
    """Return what the requests of a trace leave: what is added to each counter, and each call of the sample."""
    before = counters(traffic)
    for spans in requests:
        traffic.take(read_traces(json.dumps(request(*spans)).encode(), is_json=True))
        clock.move(seconds=20)
    counted = counters(traffic)
    clock.move(minutes=25)
    while SampleSettling(traffic.database, clock, traffic.intake.settings).step():
        pass
    assert counters(traffic) == counted
    added = {
        series: {name: value - before.get(series, {}).get(name, 0) for name, value in values.items()}
        for series, values in counted.items()
    }
    sample = {}
    for row in traffic.rows():
        if row.trace_id == trace:
            stored = None if row.contents is None else decode_contents(row.contents)
            values = (row.prompt_id, row.version, row.details, stored, row.user_hash, row.is_replayable, row.redacted)
            sample[row.span_id] = (*values, row.probability, row.stratum, row.status, row.awaited)
    return {"counters": {series: values for series, values in added.items() if any(values.values())}, "sample": sample}


def counters(traffic: Traffic) -> dict[tuple[Any, ...], dict[str, float]]:
    """Return the sums of each series and hour."""
    return {
        (series.prompt_id, series.version, series.label, series.reason, SeriesHour(0, hour.hour)): {
            name: round(value, 6) for name, value in hour.model_dump(exclude={"series_id", "hour", "latencies"}).items()
        }
        for series, hour in traffic.hours()
    }


def test_any_partition_and_order_of_spans_leaves_the_same(shop: Traffic, clock: Any) -> None:
    whole = facts_of(shop, clock, f"{1:032x}", iter([scene(f"{1:032x}")]))
    assert len(whole["sample"]) == 8  # of two, the prompt is not in the registry
    for seed in range(2, PARTITIONS):
        trace = f"{seed:032x}"
        assert facts_of(shop, clock, trace, partitions(scene(trace), seed)) == whole, seed


def test_a_call_takes_the_variables_of_a_span_that_came_earlier(traffic: Traffic) -> None:
    traffic.take(links(replace(link(1, prompt=TRIAGE), variables={"ticket": "ann@example.org", "n": 3})))
    traffic.take(calls(call(2, None, under=1, contents=replace(CONTENTS, variables=None))))
    ((_, hour),) = traffic.hours()
    (row,) = traffic.rows()
    stored = decode_contents(row.contents or b"")
    assert stored.variables == {"ticket": "[redacted: e-mail]", "n": 3}
    assert (row.is_replayable, hour.replayable, row.redacted, hour.redacted) == (True, 1, 1, 1)


def test_a_sensitive_value_of_an_earlier_span_is_removed_from_the_messages(shop: Traffic) -> None:
    secret, value = PromptMark("support.secret", "1"), "Bo Li, bo@example.org"
    shop.take(links(replace(link(1, prompt=secret), variables={"name": value})))
    shop.take(calls(call(2, None, under=1, contents=CallContents(output=f"Hello {value}!"))))
    stored = decode_contents(shop.rows()[0].contents or b"")
    assert (stored.output, stored.variables) == ("Hello [redacted: variable]!", {"name": "[redacted: variable]"})


def test_sensitive_values_wait_for_late_variables_and_no_longer(shop: Traffic, clock: Any) -> None:
    secret = PromptMark("support.secret", "1")
    shop.take(calls(call(2, secret, under=1, contents=CallContents(output="Hello Bo Li!"))))
    assert shop.rows()[0].contents is not None
    clock.move(minutes=11)
    SampleSettling(shop.database, clock, shop.intake.settings).step()
    (row,) = shop.rows()
    assert (row.is_settled, row.contents, row.awaited) == (True, None, None)


def test_a_call_has_the_user_and_the_conversation_of_the_nearest_span(traffic: Traffic) -> None:
    outer = replace(link(1), user="ann", conversation="c-1")
    inner = replace(link(2, 1), conversation="c-2")
    traffic.take(links(outer, inner))
    traffic.take(calls(call(3, under=2), call(4, user="ann")))
    first, second = traffic.rows()
    assert first.user_hash == second.user_hash
    assert first.details["conversation"] == "c-2"


def test_contents_of_spans_are_kept_for_the_wait_and_no_longer(traffic: Traffic, clock: Any) -> None:
    around = SpanLink(call(1).trace_id or "", "1" * 16, None, TRIAGE, {"ticket": "lost"}, "ann", "c-1")
    traffic.take(links(around))
    settling = SampleSettling(traffic.database, clock, traffic.intake.settings)

    def waiting() -> list[SpanContentsRow]:
        while settling.step():
            pass
        with traffic.database.read() as session:
            return list(session.exec(select(SpanContentsRow)))

    assert len(waiting()) == 1
    clock.move(seconds=timedelta(minutes=10).total_seconds() + 1)
    assert waiting() == []


def test_a_call_that_is_not_sampled_is_counted_the_same_in_any_order(traffic_of: Callable[..., Traffic]) -> None:
    traffic = traffic_of(draw_from(0.9), traffic_sample=0.1, traffic_low_sample=0.1, traffic_error_sample=0.1)
    named = replace(link(1, prompt=TRIAGE), variables={"ticket": "lost"})
    silent = call(2, PromptMark("support.triage"), under=1, contents=CallContents())
    traffic.take(calls(silent))
    traffic.take(links(named))
    ((series, hour),) = traffic.hours()
    assert (series.version, series.reason, hour.calls, hour.replayable) == (1, "", 1, 1)
