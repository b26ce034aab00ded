"""A judge's output, parsed from a reply: its whole text, or else the last JSON object in it.

LangChain parses replies too, but takes the first object of a text and completes one that is cut off. A judge that weighs an
example first would be read as the opposite of what it decided. So LangChain's result counts only where the model answered by a
call of a tool, which has no text.
"""

import json
import re
from collections.abc import Iterator, Sequence

from promptuary.evaluation.json_object import JsonObject
from promptuary.evaluation.scorers.judge_task import JudgeTask, Output
from promptuary.evaluation.scorers.markup.strict_json import NAN_DECODER, ObjectAttempts
from promptuary.evaluation.scorers.score import note_method
from promptuary.models.calls import ModelReply
from promptuary.prompt.canonical_json import json_equal

_REASONING = re.compile(r"<think(?:ing)?>.*?(?:</think(?:ing)?>|\Z)", re.DOTALL | re.IGNORECASE)
_FENCED = re.compile(r"```(?:json)?\s*(\{.*\})\s*```", re.DOTALL)
_TEXT_LIMIT = 100_000


def parse_judge_output(task: JudgeTask[Output], reply: ModelReply, judged_texts: Sequence[str]) -> Output:
    """Parse a reply as the output of a task; where it was not the whole reply, that is noted in the result.

    Args:
        task: the task.
        reply: of the judge.
        judged_texts: the texts that were judged. An object that one of them contains is a quotation, not a verdict.

    Raises:
        ValueError: for a reply without an output of the task's form; pydantic's errors are some.
    """
    if reply.parsed is not None and (reply.tool_calls or not reply.text):
        return task.output.model_validate(reply.parsed)
    text = _REASONING.sub("", reply.text)[-_TEXT_LIMIT:].strip()
    if fenced := _FENCED.fullmatch(text):
        text = fenced.group(1)
    *_, last = [None, *_objects(text)]
    if last is None:
        raise ValueError("the reply has no JSON object")
    if not _is_whole(text):
        if any(json_equal(last, quoted) for judged in judged_texts for quoted in _objects(judged[-_TEXT_LIMIT:])):
            raise ValueError("the reply quotes an object of a judged text")
        note_method("the last JSON object in the judge's answer")
    return task.output.model_validate(last)


def _is_whole(text: str) -> bool:
    """Return whether a text is one JSON value and nothing else."""
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _objects(text: str) -> Iterator[JsonObject]:
    """Yield the outermost JSON objects in a text, from left to right.

    Raises:
        ValueError: at the end, where the search reaches its limit.
    """
    attempts = ObjectAttempts(NAN_DECODER)
    start = text.find("{")
    while start >= 0:
        value, end = attempts.parse(text, start)
        if attempts.exhausted:
            raise ValueError("the text has too many braces that are no JSON")
        if value is not None:
            yield value
        start = text.find("{", start + 1 if value is None else end)
