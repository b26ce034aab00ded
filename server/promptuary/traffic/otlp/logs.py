"""A request with log records, read into the messages of calls and into evaluations."""

from collections.abc import Mapping, Sequence
from typing import Any

from promptuary.traffic.calls.model_call import CallContents, CallMessage, Evaluation, LogContents, TrafficReading
from promptuary.traffic.otlp.call_assembly import contents_size
from promptuary.traffic.otlp.emitters.facts import CallFacts
from promptuary.traffic.otlp.emitters.genai import DETAILS_EVENT, read_contents
from promptuary.traffic.otlp.evaluation_events import EVALUATION, read_evaluation
from promptuary.traffic.otlp.finish_reasons import read_finish
from promptuary.traffic.otlp.messages import ModelAnswer, read_answer, read_messages
from promptuary.traffic.otlp.partial_success import rejection_message
from promptuary.traffic.otlp.prompt_marks import read_variables
from promptuary.traffic.otlp.wire import json_form, protobuf
from promptuary.traffic.otlp.wire.spans import LogRecord, ReadingLimits, Unreadable

CHOICE = "gen_ai.choice"
ROLES = {
    "gen_ai.system.message": "system",
    "gen_ai.developer.message": "developer",
    "gen_ai.user.message": "user",
    "gen_ai.assistant.message": "assistant",
    "gen_ai.tool.message": "tool",
}
"""The events of the conventions up to 1.36, a message each."""


def read_logs(body: bytes, is_json: bool, limits: ReadingLimits | None = None) -> TrafficReading:
    """Read an `ExportLogsServiceRequest` of any emitter. Records of other kinds are ignored.

    Args:
        body: of the request, decompressed.
        is_json: whether it is JSON; else it is protobuf.
        limits: of what is read.

    Raises:
        MalformedBody: for a body that cannot be decoded. Records that cannot be read are counted in the answer.
    """
    limits = limits or ReadingLimits()
    decoded = (json_form if is_json else protobuf).decode_logs(body, limits)
    messages: dict[tuple[str, str], list[LogRecord]] = {}
    contents: list[LogContents] = []
    evaluations: list[Evaluation] = []
    for record in decoded.records:
        # Node's SDK has no field for the name yet.
        name = record.name or record.attributes.get("event.name")
        try:
            if name == EVALUATION:
                evaluations.append(read_evaluation(record.attributes, (record.trace_id, record.span_id), record.time))
            elif name == DETAILS_EVENT and record.span_id:
                contents.append(_details(record, limits))
            elif (name == CHOICE or name in ROLES) and record.span_id:
                record.name = str(name)
                messages.setdefault((record.trace_id, record.span_id), []).append(record)
        except Unreadable as error:
            decoded.reject(str(error))
    for records in messages.values():
        try:
            contents.append(_events(records, limits))
        except Unreadable as error:
            decoded.reject(str(error), len(records))
    return TrafficReading(
        evaluations=evaluations,
        log_contents=contents,
        rejected=sum(decoded.errors.values()),
        message=rejection_message(decoded.errors, "log records"),
    )


def _details(record: LogRecord, limits: ReadingLimits) -> LogContents:
    """Read the event that has all messages of a call in its attributes."""
    facts = CallFacts(emitter="genai", finish=record.attributes.get("gen_ai.response.finish_reasons"))
    read_contents(record.attributes, facts)
    answer = ModelAnswer(text=facts.output, tool_calls=facts.tool_calls, finish=facts.finish)
    is_whole = record.is_complete and not facts.is_cut
    return _log_contents(record, facts.input, answer, is_whole, limits)


def _events(records: Sequence[LogRecord], limits: ReadingLimits) -> LogContents:
    """Read the events that have a message each."""
    messages: list[CallMessage] = []
    choices: dict[int, ModelAnswer] = {}
    for record in records:
        body: Mapping[str, Any] = record.body if isinstance(record.body, dict) else {"content": record.body}
        if record.name == CHOICE:
            index = body.get("index")
            answer = read_answer(body.get("message") or {"role": "assistant", "content": None})
            answer.finish = body.get("finish_reason")
            choices.setdefault(index if isinstance(index, int) else 0, answer)
        else:
            messages += read_messages([{"role": ROLES[record.name], **_without_none(body)}]) or []
    answer = choices[min(choices)] if choices else ModelAnswer()
    is_whole = all(record.is_complete for record in records)
    return _log_contents(records[0], messages or None, answer, is_whole, limits)


def _log_contents(
    record: LogRecord, messages: list[CallMessage] | None, answer: ModelAnswer, is_whole: bool, limits: ReadingLimits
) -> LogContents:
    if contents_size(messages or (), answer.text, answer.tool_calls) > limits.contents:
        contents = CallContents(is_complete=False)
    else:
        contents = CallContents(
            input=messages,
            output=answer.text,
            tool_calls=answer.tool_calls,
            variables=read_variables(record.attributes) if record.is_complete else None,
            is_complete=is_whole,
        )
    return LogContents(record.trace_id, record.span_id, contents, read_finish(answer.finish))


def _without_none(body: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if value is not None or name != "role"}
