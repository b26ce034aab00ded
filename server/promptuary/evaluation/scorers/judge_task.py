"""A task that a judging model does: its instruction, and the JSON form of its output."""

from dataclasses import dataclass
from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict, JsonValue

from promptuary.evaluation.json_object import JsonObject


class JudgeOutput(BaseModel):
    """The output of a judge; no value is converted."""

    model_config = ConfigDict(strict=True, frozen=True)


Output = TypeVar("Output", bound=JudgeOutput)


@dataclass(frozen=True)
class JudgeTask(Generic[Output]):
    """One task that a type of scorer sets its judge.

    Attributes:
        instruction: what the judge does.
        schema: the JSON schema of its output.
        output: the model that parses the output.
    """

    instruction: str
    schema: JsonObject
    output: type[Output]


def judge_task(title: str, instruction: str, output: type[Output], **properties: JsonValue) -> JudgeTask[Output]:
    """Build a task whose output is an object with exactly these properties, in their order."""
    schema = {
        "title": title,
        "description": f"The {title} that is asked for.",
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
    return JudgeTask(instruction, schema, output)
