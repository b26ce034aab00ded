"""Personal data in every text of a call is in no row afterwards."""

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import inspect, text
from sqlmodel import select

from factories.databases import file_bytes
from factories.reported_calls import call, calls
from promptuary.core.database import Database
from promptuary.traffic.calls.contents_codec import decode_contents
from promptuary.traffic.calls.model_call import (
    CallContents,
    CallMessage,
    Evaluation,
    PromptMark,
    ReportedToolCall,
    SpanLink,
)
from promptuary.traffic.intake.intake import TrafficIntake
from promptuary.traffic.tables import ObservationRow

SEEDS = (
    "anna.berg@example.org",
    "4111 1111 1111 1111",
    "DE89 3704 0044 0532 0130 00",
    "+49 170 1234567",
    "sk-proj-abcdefghijklmnop12",
)
LEFT = ("anna.berg", "1111 1111", "11111111", "0044 0532", "00440532", "1234567", "abcdefghijklmnop")
"""Parts of the seeds, with and without their spaces; four digits alone would occur in a random hash by chance."""


NAMES = (
    "key response_id conversation error_type finish provider model response_model operation service span_name user emitter "
    "label variant prompt_name prompt_version link evaluation_name evaluation_label evaluation_response_id explanation contents"
).split()
"""The texts of a report."""


@pytest.mark.parametrize("name", NAMES)
def test_personal_data_in_any_text_of_a_report_is_in_no_file(
    sqlite: Database, clock: Any, settings: Any, unit_as: Any, name: str
) -> None:
    with unit_as("author") as unit:
        project = unit.caller.project
    intake = TrafficIntake(sqlite, clock, settings.model_copy(update={"traffic_keep": "all"}), draw=lambda: 0.0)
    for number, seed in enumerate(SEEDS):
        tool = ReportedToolCall(seed, seed, {seed: [seed, 4111111111111111]})
        contents = CallContents(
            input=(CallMessage("user", [{"type": "text", seed: seed}], (tool,), seed),),
            output=seed,
            tool_calls=(tool,),
            variables={"a": seed, seed: seed},
            error_message=seed,
        )
        reading = calls(call(number, None, contents=contents))
        reported = reading.calls[0]
        if name in reported.__dataclass_fields__ and name != "contents":
            reading = replace(reading, calls=(replace(reported, **{name: seed}),))
        elif name in ("label", "variant"):
            reading = replace(reading, calls=(replace(reported, prompt=PromptMark("x", "1", **{name: seed})),))
        elif name == "prompt_name":
            reading = replace(reading, calls=(replace(reported, prompt=PromptMark(seed, "1")),))
        elif name == "prompt_version":
            reading = replace(reading, calls=(replace(reported, prompt=PromptMark("x", seed)),))
        elif name == "link":
            around = SpanLink("ab" * 16, "cd" * 8, None, PromptMark(seed, seed, seed, seed, seed), {"a": seed})
            reading = replace(reading, links=(around,))
        elif "evaluation" in name or name == "explanation":
            e = Evaluation("n", 0.0, "l", "e", "r", None, None, reported.at)
            e = replace(e, **{name.replace("evaluation_", ""): seed})
            reading = replace(reading, evaluations=(e,))
        intake.take(project, reading)
    with sqlite.read() as session:
        tables = inspect(session.connection()).get_table_names()
        stored = "".join(str(row) for table in tables for row in session.execute(text(f'SELECT * FROM "{table}"')))
        stored += "".join(str(decode_contents(row.contents)) for row in session.exec(select(ObservationRow)) if row.contents)
    assert [part for part in LEFT if part in stored] == []
    files = file_bytes(sqlite)
    assert [part for part in LEFT if part.encode() in files] == []
