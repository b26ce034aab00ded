"""The intake: what is counted, and what waits."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import select

from factories.reported_calls import AT, CONTENTS, TRIAGE, call, calls, draw_from, link, links, span
from promptuary.prompt.content import Content
from promptuary.prompt.split import Arm, Split
from promptuary.registry.label_store import LabelTarget, NewLabelMove, set_label
from promptuary.registry.service import Registry
from promptuary.registry.store import find_prompt
from promptuary.traffic.calls.contents_codec import decode_contents
from promptuary.traffic.calls.model_call import (
    Attribution,
    CallContents,
    CallMessage,
    CallStatus,
    Evaluation,
    LogContents,
    PromptMark,
    TokenCounts,
    TrafficReading,
)
from promptuary.traffic.counters.latency import LatencyHistogram
from promptuary.traffic.intake.intake import TrafficIntake
from promptuary.traffic.tables import LogContentsRow, TrafficSettingsRow
from traffic.intake.conftest import Traffic

pytestmark = pytest.mark.usefixtures("database")
NO_PROMPT = {(0, "no_prompt"): 1}
ATTRIBUTED = {(1, ""): 1}


def test_a_call_is_counted_by_version_model_and_hour(traffic: Traffic) -> None:
    report = traffic.take(calls(call(1, cost=0.5, tokens=TokenCounts(100, 20, 30, 5))))
    assert (report.calls, report.repeats, report.unattributed) == (1, 0, {})
    ((series, hour),) = traffic.hours()
    assert (series.version, series.model, series.reason, series.prompt_id) == (1, "small", "", series.prompt_key)
    assert hour.hour == AT.timestamp() // 3600
    assert (hour.calls, hour.errors, hour.replayable, hour.cost, hour.latency_ms) == (1, 0, 1, 0.5, 200.0)
    assert (hour.input_tokens, hour.output_tokens, hour.cached_tokens, hour.reasoning_tokens) == (100, 20, 30, 5)
    assert LatencyHistogram.parse(hour.latencies) == LatencyHistogram.of([200.0])


def test_labels_and_variants_are_counted_apart(traffic: Traffic) -> None:
    marks = [replace(TRIAGE, label="production", variant=variant) for variant in ("v1", "v2", None)]
    traffic.take(calls(*(call(number, mark) for number, mark in enumerate(marks))))
    assert [(series.label, series.variant) for series, _ in traffic.hours()] == [
        ("production", ""),
        ("production", "v1"),
        ("production", "v2"),
    ]


@pytest.mark.parametrize(
    ("mark", "counted"),
    [
        (None, (0, "no_prompt")),
        (PromptMark("support.unknown", "1"), (0, "unknown_prompt")),
        (PromptMark("x" * 5000, "1"), (0, "unknown_prompt")),
        (PromptMark("support.triage"), (0, "no_version")),
        (PromptMark("support.triage", "3"), (0, "unknown_version")),
        (PromptMark("support.triage", "0"), (0, "unknown_version")),
        (PromptMark("support.triage", "-1"), (0, "unknown_version")),
        (PromptMark("support.triage", "9" * 40), (0, "unknown_version")),
        (PromptMark("support.triage", "newest"), (0, "unknown_version")),
        (PromptMark("support.triage", digest="sha256:0"), (0, "unknown_version")),
        (PromptMark("support.triage", "2"), (2, "")),
        (PromptMark("Support/Triage", "2"), (2, "")),
    ],
)
def test_a_prompt_is_resolved_or_its_absence_counted(
    traffic: Traffic, mark: PromptMark | None, counted: tuple[int, str]
) -> None:
    traffic.take(calls(call(1, mark)))
    assert traffic.counted() == {counted: 1}


def test_a_version_is_found_by_its_digest(traffic: Traffic, unit_as: Callable[..., Any]) -> None:
    with unit_as("viewer") as unit:
        digest = Registry(unit).version("support.triage", 2).digest
    traffic.take(calls(call(1, PromptMark("support.triage", digest=digest))))
    assert traffic.counted() == {(2, ""): 1}


def test_a_repeated_report_is_counted_once(traffic: Traffic) -> None:
    reading = calls(call(1), call(2))
    assert traffic.take(reading).calls == 2
    report = traffic.take(reading)
    assert (report.calls, report.repeats) == (0, 2)
    assert traffic.counted() == {(1, ""): 2}
    assert len(traffic.rows()) == 2


def test_a_call_twice_in_one_request_is_counted_once(traffic: Traffic) -> None:
    assert traffic.take(calls(call(1), call(1))).repeats == 1
    assert traffic.counted() == ATTRIBUTED


def test_a_report_after_the_repeat_hours_is_another_call(traffic: Traffic, clock: Any) -> None:
    traffic.take(calls(call(1)))
    clock.move(hours=23, minutes=59)
    assert traffic.take(calls(call(1))).calls == 0
    clock.move(minutes=2)
    assert traffic.take(calls(call(1))).calls == 1


def test_two_reports_with_one_response_id_are_one_call(traffic: Traffic) -> None:
    traffic.take(calls(call(1, response_id="chatcmpl-1")))
    report = traffic.take(calls(call(2, response_id="chatcmpl-1", trace_id="f" * 32)))
    assert (report.calls, report.repeats) == (0, 1)
    assert traffic.take(calls(call(2, response_id="chatcmpl-1", trace_id="f" * 32))).repeats == 1
    assert traffic.counted() == ATTRIBUTED


def test_a_second_report_attributes_the_call_of_the_first(traffic: Traffic) -> None:
    traffic.take(calls(call(1, None, response_id="chatcmpl-1")))
    assert traffic.counted() == NO_PROMPT
    report = traffic.take(calls(call(2, TRIAGE, response_id="chatcmpl-1", trace_id="f" * 32)))
    assert (report.calls, report.moved) == (0, 1)
    assert traffic.counted() == ATTRIBUTED


def test_projects_count_their_own_calls(traffic: Traffic, other_project: int) -> None:
    traffic.take(calls(call(1, response_id="r")))
    assert traffic.take(calls(call(1, response_id="r")), other_project).calls == 1
    assert traffic.counted() == ATTRIBUTED
    assert traffic.counted(other_project) == {(0, "unknown_prompt"): 1}


def test_a_span_of_another_project_is_around_no_call(traffic: Traffic, other_project: int) -> None:
    traffic.take(links(link(1, prompt=TRIAGE)), other_project)
    traffic.take(calls(call(2, None, under=1)))
    assert traffic.take(links(link(1, prompt=TRIAGE)), other_project).moved == 0
    assert traffic.counted() == NO_PROMPT


def test_a_model_is_the_requested_one_else_that_which_answered(traffic: Traffic) -> None:
    traffic.take(calls(call(1, model="a", response_model="b"), call(2, model=None, response_model="b"), call(3, model=None)))
    assert sorted(series.model for series, _ in traffic.hours()) == ["", "a", "b"]


def test_what_a_call_does_not_report_is_not_counted_as_zero(traffic: Traffic) -> None:
    unknown = call(2, tokens=TokenCounts(), latency_ms=None, contents=CallContents(), status=CallStatus.INCOMPLETE)
    traffic.take(calls(call(1), unknown))
    ((_, hour),) = traffic.hours()
    assert (hour.calls, hour.incomplete, hour.token_calls, hour.latency_calls, hour.cost_calls) == (2, 1, 1, 1, 0)
    assert hour.replayable == 1


def test_a_call_of_a_clock_that_is_ahead_is_counted_now(traffic: Traffic, clock: Any) -> None:
    traffic.take(calls(call(1, at=clock() + timedelta(minutes=59))))
    ((_, hour),) = traffic.hours()
    assert hour.hour == clock().timestamp() // 3600
    assert traffic.rows()[0].at == clock()


def test_contents_wait_redacted_for_the_end_of_the_wait(traffic: Traffic, clock: Any) -> None:
    contents = replace(CONTENTS, output="Write to ann@example.org.")
    traffic.take(calls(call(1, contents=contents, user="user-42", conversation="c-1")))
    (row,) = traffic.rows()
    stored = decode_contents(row.contents or b"")
    assert stored.input == CONTENTS.input
    assert stored.output is not None
    assert "ann@example.org" not in stored.output
    assert (row.redacted, row.is_settled, row.settle_at) == (1, False, clock() + timedelta(minutes=10))
    assert row.user_hash is not None
    assert "user-42" not in row.user_hash + str(row.details)
    assert traffic.hours()[0][1].redacted == 1


def test_one_user_has_one_hash_in_a_project(traffic: Traffic) -> None:
    traffic.take(calls(call(1, user="u"), call(2, user="u"), call(3, user="v")))
    first, second, third = (row.user_hash for row in traffic.rows())
    assert first == second != third


def test_contents_wait_only_below_the_largest_probability(traffic_of: Callable[..., Traffic]) -> None:
    shares = {"traffic_sample": 0.1, "traffic_error_sample": 0.5, "traffic_low_sample": 0.2}
    traffic = traffic_of(draw_from(0.19, 0.2, 0.49, 0.5), **shares)
    error = {"status": CallStatus.ERROR}
    report = traffic.take(calls(call(1), call(2), call(3, **error), call(4, **error)))
    assert report.calls == 4
    assert [row.span_id for row in traffic.rows()] == [span(1), span(3)]


def test_contents_with_dropped_parts_are_not_stored(traffic: Traffic) -> None:
    traffic.take(calls(call(1, contents=replace(CONTENTS, is_complete=False))))
    assert traffic.rows()[0].contents is None
    assert traffic.counted() == ATTRIBUTED


def test_sensitive_variables_are_removed_by_the_versions_declaration(traffic: Traffic, unit_as: Callable[..., Any]) -> None:
    declared = {"ticket": {"type": "string", "sensitive": True}}
    with unit_as("editor") as unit:
        body = {"type": "text", "template": "{{ticket}}", "variables": declared}
        Registry(unit).register("support.private", Content.model_validate(body))
    private = PromptMark("support.private", "1")
    traffic.take(calls(call(1, private), call(2, None, under=9), call(3, private, contents=replace(CONTENTS, variables=None))))
    traffic.take(links(link(9, prompt=private)))
    first, moved, unsure = traffic.rows()
    for row in (first, moved):
        assert row.contents is not None
        assert "card" not in str(decode_contents(row.contents))
    assert unsure.contents is None
    assert traffic.counted() == {(1, ""): 3}


@pytest.fixture
def private(unit_as: Callable[..., Any]) -> PromptMark:
    """A prompt whose variable is sensitive."""
    body = {"type": "text", "template": "{{ticket}}", "variables": {"ticket": {"type": "string", "sensitive": True}}}
    with unit_as("editor") as unit:
        Registry(unit).register("support.secret", Content.model_validate(body))
    return PromptMark("support.secret", "1")


@pytest.mark.parametrize("version", ["1", None, "7"])
@pytest.mark.parametrize("comes_first", ["call", "messages", "around"])
def test_a_sensitive_value_is_stored_in_no_order_of_reports(
    traffic: Traffic, private: PromptMark, version: str | None, comes_first: str
) -> None:
    value, mark = "Ann Meyer, ann@example.org", replace(private, version=version)
    silent = CallContents(variables={"ticket": value})
    messages = log(1, CallContents(input=(CallMessage("user", f"I am {value}."),), output=f"Hello {value}"))
    match comes_first:
        case "call":
            requests = [calls(call(1, mark, contents=silent)), messages]
        case "messages":
            requests = [messages, calls(call(1, mark, contents=silent))]
        case _:
            around = replace(link(2, prompt=mark), variables={"ticket": value})
            requests = [messages, calls(call(1, None, under=2, contents=CallContents())), links(around)]
    for request in requests:
        traffic.take(request)
    (row,) = traffic.rows()
    assert "Ann Meyer" not in str(row.contents and decode_contents(row.contents))
    assert traffic.hours()[0][0].prompt_id is not None


def test_a_finish_reason_of_log_records_is_redacted_in_both_orders(traffic: Traffic) -> None:
    for number, order in ((1, slice(None)), (2, slice(None, None, -1))):
        messages = log(number, INPUT)
        messages = replace(messages, log_contents=[replace(messages.log_contents[0], finish="ann@example.org")])
        for reading in [calls(call(number, contents=CallContents())), messages][order]:
            traffic.take(reading)
            with traffic.intake.database.read() as session:
                waiting = session.exec(select(LogContentsRow.finish)).all()
            assert "ann@example.org" not in str([*waiting, *(row.details for row in traffic.rows())])


def test_a_call_whose_sensitive_values_are_unknown_has_no_conversation(traffic: Traffic, private: PromptMark) -> None:
    reported = replace(call(1, private, contents=CallContents(output="Hello")), conversation="Ann Meyer")
    traffic.take(calls(reported))
    assert "Ann Meyer" not in str(traffic.rows()[0])


def test_messages_with_an_address_that_come_twice_are_stored_once(traffic: Traffic) -> None:
    traffic.take(calls(call(1, contents=INPUT)))
    traffic.take(log(1, replace(INPUT, output="Hello.")))
    stored = decode_contents(traffic.rows()[0].contents or b"")
    assert stored.input is not None
    assert (len(stored.input), stored.output) == (1, "Hello.")


# Spans around calls


def test_a_call_takes_its_prompt_from_the_nearest_span_around_it(traffic: Traffic) -> None:
    spans = (link(1, prompt=PromptMark("support.triage", "1")), link(2, 1, PromptMark("support.triage", "2")), link(3, 2))
    traffic.take(TrafficReading(calls=[call(4, None, under=3)], links=spans))
    assert traffic.counted() == {(2, ""): 1}
    assert traffic.rows()[0].details["attribution"] == Attribution.ANCESTOR


def test_a_prompt_does_not_leak_to_siblings(traffic: Traffic) -> None:
    spans = (link(1), link(2, 1, TRIAGE))
    traffic.take(TrafficReading(calls=[call(3, None, under=1), call(4, None, under=2)], links=spans))
    assert traffic.counted() == {(0, "no_prompt"): 1, (1, ""): 1}


def test_a_prompt_does_not_leak_to_another_trace(traffic: Traffic) -> None:
    reading = TrafficReading(calls=[call(3, None, under=1, trace_id="f" * 32)], links=[link(1, prompt=TRIAGE)])
    traffic.take(reading)
    assert traffic.counted() == NO_PROMPT


@pytest.mark.parametrize("order", ["cmp", "cpm", "mcp", "mpc", "pcm", "pmc"])
def test_a_call_and_the_spans_around_it_come_in_any_order(traffic: Traffic, order: str) -> None:
    requests = {"c": calls(call(3, None, under=2)), "m": links(link(2, 1)), "p": links(link(1, prompt=TRIAGE))}
    for request in order:
        traffic.take(requests[request])
    assert traffic.counted() == ATTRIBUTED
    (row,) = traffic.rows()
    assert (row.version, row.prompt_id is not None, row.details["attribution"]) == (1, True, "ancestor")


def test_a_moved_call_takes_all_its_counts_along(traffic: Traffic) -> None:
    traffic.take(calls(call(2, None, under=1, cost=0.5, status=CallStatus.ERROR, contents=replace(CONTENTS, output="a@b.org"))))
    ((_, before),) = traffic.hours()
    assert traffic.take(links(link(1, prompt=TRIAGE))).moved == 1
    ((series, after),) = traffic.hours()
    assert series.version == 1
    names = [name for name in type(after).model_fields if name != "series_id"]
    assert {name: getattr(after, name) for name in names} == {name: getattr(before, name) for name in names}


def test_a_late_parent_brings_the_variables_of_its_prompt(traffic: Traffic) -> None:
    traffic.take(calls(call(2, None, under=1, contents=replace(CONTENTS, variables=None))))
    late = replace(link(1, prompt=TRIAGE), variables={"ticket": "ann@example.org"})
    traffic.take(links(late))
    (row,) = traffic.rows()
    variables = decode_contents(row.contents or b"").variables
    assert variables is not None
    assert "ann@example.org" not in str(variables)
    assert (row.is_replayable, traffic.hours()[0][1].replayable, traffic.hours()[0][1].redacted) == (True, 1, 1)


def test_a_call_is_moved_once(traffic: Traffic) -> None:
    traffic.take(calls(call(2, None, under=1)))
    traffic.take(links(link(1, prompt=TRIAGE)))
    assert traffic.take(links(link(1, prompt=TRIAGE))).moved == 0
    assert traffic.counted() == ATTRIBUTED


def test_a_call_that_names_an_unknown_prompt_stays_there(traffic: Traffic) -> None:
    traffic.take(calls(call(2, PromptMark("unknown"), under=1)))
    assert traffic.take(links(link(1, prompt=TRIAGE))).moved == 0
    assert traffic.counted() == {(0, "unknown_prompt"): 1}


def test_a_call_around_another_one_attributes_it_later(traffic: Traffic) -> None:
    traffic.take(calls(call(2, None, under=1)))
    assert traffic.take(calls(call(1))).moved == 1
    assert traffic.counted() == {(1, ""): 2}


def test_parents_in_a_circle_end(traffic: Traffic) -> None:
    traffic.take(TrafficReading(calls=[call(3, None, under=1)], links=[link(1, 2), link(2, 1)]))
    assert traffic.counted() == NO_PROMPT


def test_a_call_whose_contents_may_not_be_stored_is_moved_too(traffic_of: Callable[..., Traffic]) -> None:
    traffic = traffic_of(draw_from(0.9), traffic_sample=0.1, traffic_low_sample=0.1, traffic_error_sample=0.1)
    traffic.take(calls(call(2, None, under=1)))
    assert traffic.rows()[0].contents is None
    traffic.take(links(link(1, prompt=TRIAGE)))
    assert traffic.counted() == ATTRIBUTED
    assert traffic.hours()[0][1].replayable == 1


def test_a_rule_maps_calls_that_nothing_else_attributes(traffic: Traffic) -> None:
    rules = [{"prompt": "support.triage", "service": "shop"}]
    with traffic.database.write() as session:
        session.add(TrafficSettingsRow(project_id=traffic.project, user_key=b"k" * 32, settings={}, rules=rules))
    reading = TrafficReading(
        calls=[call(1, None, service="shop"), call(2, None, service="blog"), call(3, None, under=9, service="shop")],
        links=[link(9, prompt=TRIAGE)],
    )
    traffic.take(reading)
    assert traffic.counted() == {(0, "no_version"): 1, (0, "no_prompt"): 1, (1, ""): 1}


@pytest.mark.parametrize(
    ("target", "counted"),
    [({"version": 2}, {(2, ""): 1}), ({"label": "live"}, {(1, ""): 1}), ({"label": "split"}, {(0, "no_version"): 1})],
)
def test_a_rule_names_a_version_or_a_label(traffic: Traffic, target: dict[str, Any], counted: Any, unit_as: Any) -> None:
    rules = [{"prompt": "support.triage", "service": "shop", **target}]
    with traffic.database.write() as session:
        session.add(TrafficSettingsRow(project_id=traffic.project, user_key=b"k" * 32, settings={}, rules=rules))
    with unit_as("lead") as unit:
        prompt = find_prompt(unit.session, traffic.project, "support.triage")
        assert prompt is not None
        split = LabelTarget(1, Split("salt", (Arm(1, 1.0, ((0, 5_000),)), Arm(2, 1.0, ((5_000, 10_000),)))))
        moves = [("live", LabelTarget(1), -60), ("live", LabelTarget(2), 60), ("split", split, -60)]
        for revision, (label, points_at, minutes) in enumerate(moves, 100):
            at = AT + timedelta(minutes=minutes)
            set_label(unit.session, prompt, NewLabelMove(label, points_at, None, "x", "why", at, rollback=False), revision)
    traffic.take(calls(call(1, None, service="shop")))
    assert traffic.counted() == counted


OUT_OF_BOUNDS = [
    ({"at": AT - timedelta(days=401)}, "at must not be before 2025-01-2"),
    ({"at": AT.replace(year=1999)}, "at must not be before 2025-01-2"),
    ({"at": AT + timedelta(hours=2)}, "at must not be more than an hour after the server's time"),
    ({"tokens": TokenCounts(input=100_000_001)}, "tokens.input must be at most 100,000,000"),
    ({"tokens": TokenCounts(reasoning=2**50)}, "tokens.reasoning must be at most 100,000,000"),
    ({"cost": 10_001.0}, "cost must be at most 10,000"),
    ({"latency_ms": 1e12}, "latency_ms must be at most 604,800,000"),
]


@pytest.mark.parametrize(("changes", "message"), OUT_OF_BOUNDS)
def test_a_call_out_of_bounds_is_rejected_and_named(traffic: Traffic, changes: dict[str, Any], message: str) -> None:
    report = traffic.take(calls(call(1), call(2, **changes)))
    assert (report.calls, report.rejected) == (1, 1)
    assert message in report.message
    assert traffic.counted() == ATTRIBUTED


def test_the_bounds_follow_the_projects_days_of_counters(traffic_of: Callable[..., Traffic]) -> None:
    traffic = traffic_of(traffic_counter_days=7)
    report = traffic.take(calls(call(1, at=AT - timedelta(days=6)), call(2, at=AT - timedelta(days=8))))
    assert (report.calls, report.rejected) == (1, 1)


def test_an_evaluation_out_of_bounds_is_rejected_and_named(traffic: Traffic) -> None:
    evaluation = Evaluation("tone", 1.0, None, None, "resp-1", None, None, AT)
    early = replace(evaluation, at=AT - timedelta(days=500))
    report = traffic.take(
        TrafficReading(evaluations=[evaluation, early], rejected=1, message="1 log records were rejected: x (1)")
    )
    assert (report.evaluations, report.rejected) == (1, 2)
    assert report.message.startswith("1 log records were rejected: x (1); 1 calls or evaluations were rejected: at must not be")


# Messages that come as log records


def log(number: int, contents: CallContents, finish: str | None = None) -> TrafficReading:
    return TrafficReading(log_contents=[LogContents(call(number).trace_id or "", span(number), contents, finish)])


INPUT = CallContents(input=(CallMessage("user", "Hello, I am ann@example.org"),))
OUTPUT = CallContents(output="Hello.")
SILENT = call(1, contents=CallContents())


@pytest.mark.parametrize(
    "requests",
    [
        (calls(SILENT), log(1, INPUT), log(1, OUTPUT, "stop")),
        (log(1, INPUT), calls(SILENT), log(1, OUTPUT, "stop")),
        (log(1, INPUT), log(1, OUTPUT, "stop"), calls(SILENT)),
        (log(1, INPUT), log(1, INPUT), log(1, OUTPUT, "stop"), calls(SILENT)),
        (calls(SILENT), log(1, INPUT), log(1, INPUT), log(1, OUTPUT, "stop")),
    ],
)
def test_messages_join_their_call_in_any_order(traffic: Traffic, requests: tuple[TrafficReading, ...]) -> None:
    for request in requests:
        traffic.take(request)
    (row,) = traffic.rows()
    stored = decode_contents(row.contents or b"")
    assert stored.output == "Hello."
    assert stored.input is not None
    assert [message.role for message in stored.input] == ["user"]
    assert "ann@example.org" not in str(stored)
    assert (row.details["finish"], row.redacted, traffic.counted()) == ("stop", 1, ATTRIBUTED)
    assert traffic.hours()[0][1].redacted == 1


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_messages_of_a_call_that_is_not_sampled_are_not_stored(
    traffic_of: Callable[..., Traffic], order: tuple[int, int]
) -> None:
    traffic = traffic_of(draw_from(0.9), traffic_low_sample=0.1)
    for number in order:
        traffic.take((log(1, INPUT), calls(SILENT))[number])
    assert traffic.rows() == []
    with traffic.database.read() as session:
        assert session.exec(select(LogContentsRow)).all() == []


def test_a_random_number_is_drawn_for_each_call(traffic: Traffic, settings: Any, clock: Any) -> None:
    intake = TrafficIntake(traffic.database, clock, settings)
    intake.take(traffic.project, calls(*(call(number) for number in range(20))))
    drawn = [row.random for row in traffic.rows()]
    assert len(set(drawn)) == 20
    assert all(0 <= number < 1 for number in drawn)
