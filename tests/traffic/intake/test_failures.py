"""What the intake does when it cannot store, and what it never writes to the log."""

import json
from typing import Any

import pytest
from structlog.testing import capture_logs

from factories.reported_calls import call, calls
from promptuary.core.errors import StorageFull
from promptuary.traffic.intake import counting, intake
from promptuary.traffic.intake.process.frames import RequestMessage
from promptuary.traffic.intake.process.main import IntakeProgram
from promptuary.traffic.intake.report import IntakeReport
from promptuary.traffic.intake.request import IntakeRequest, RequestKind
from traffic.intake.conftest import Traffic

SECRET = "the contents of a call"


def observations(*ids: str) -> IntakeRequest:
    batch = [{"id": name, "at": "2026-03-02T11:59:00Z", "output": SECRET, "response_id": f"r-{name}"} for name in ids]
    return IntakeRequest(1, RequestKind.OBSERVATIONS, json.dumps({"observations": batch}).encode())


def test_a_full_disk_refuses_a_request_and_counts_nothing_of_it(traffic: Traffic) -> None:
    traffic.take(calls(call(1)))
    with traffic.database.engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")  # of this connection, which the pool returns next
    large = [call(number, trace_id=f"{number:032x}") for number in range(2, 2000)]
    with pytest.raises(StorageFull, match="free some space"):
        traffic.take(calls(*large))
    assert traffic.counted() == {(1, ""): 1}
    with traffic.database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count=1073741823")
    assert traffic.take(calls(*large)).calls == len(large)


def test_a_request_that_fails_does_not_fail_those_beside_it(traffic: Traffic, monkeypatch: pytest.MonkeyPatch) -> None:
    encode = counting.encode_contents
    monkeypatch.setattr(
        counting, "encode_contents", lambda contents: encode(contents) if "poison" not in str(contents) else 1 / 0
    )
    program = IntakeProgram(traffic.intake)
    wrong = json.dumps({"observations": [{"id": "x", "at": "2026-03-02T11:59:00Z", "output": "poison", "response_id": "r"}]})
    group = [observations("a"), IntakeRequest(1, RequestKind.OBSERVATIONS, wrong.encode()), observations("b")]
    replies = program.take([RequestMessage(number, request) for number, request in enumerate(group)])
    assert [reply.number for reply in replies] == [0, 1, 2]
    assert [isinstance(reply.reply, IntakeReport) for reply in replies] == [True, False, True]
    assert traffic.counted() == {(0, "no_prompt"): 2}


def test_an_error_of_the_program_logs_its_place_and_no_contents(traffic: Traffic, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> Any:
        raise ValueError(SECRET)

    monkeypatch.setattr(intake, "count_calls", fail)
    with capture_logs() as entries:
        (reply,) = IntakeProgram(traffic.intake).take([RequestMessage(0, observations("a"))])
    assert reply.reply is None
    logged = str(entries)
    assert "the intake failed on a request" in logged
    assert "ValueError" in logged
    assert SECRET not in logged
