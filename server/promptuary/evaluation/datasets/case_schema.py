"""The wire model of a case, as a file or a request has it; its scorers are checked against the catalog."""

from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import AfterValidator, Field, JsonValue, StringConstraints, ValidatorFunctionWrapHandler, model_validator

from promptuary.core.wire import NonEmptyText, RequestModel
from promptuary.evaluation.canonical_json import unsupported_values
from promptuary.evaluation.case import Case
from promptuary.evaluation.conversations.tool_results import tool_results_errors
from promptuary.evaluation.conversations.turn import DEFAULT_STEPS, Turn
from promptuary.evaluation.json_object import JsonObject
from promptuary.evaluation.scorers.catalog import find_scorer_type
from promptuary.evaluation.scorers.spec import LocatedError, ScorerSpec, validate_with_errors
from promptuary.evaluation.scorers.transforms.steps import TransformValue

THRESHOLD_LIMIT = 1e9
"""Scores are from 0 to 1, but for those of a suite's own JavaScript, which may be any number."""
TURNS_LIMIT = 100
STEPS_LIMIT = 100
WEIGHT_LIMIT = 1e12
Printable = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]


def _check_canonical(value: Any) -> Any:
    for message in unsupported_values(value):
        raise ValueError(message)
    return value


def _check_scorer(value: JsonObject) -> JsonObject:
    return ScorerSpec.of_case(value).model_dump(mode="json", exclude_defaults=True)


def _check_turn_scorer(value: JsonObject) -> JsonObject:
    spec = ScorerSpec.of_case(value)
    scorer_type = find_scorer_type(spec.type_name)
    if spec.each_turn:
        raise ValueError("`each_turn` goes with a scorer of the suite or the case: this one has a turn already")
    if scorer_type is not None and scorer_type.compares_variants:
        raise ValueError(f"'{spec.type}' compares the answers of variants to the whole case, so it stands in no turn")
    return spec.model_dump(mode="json", exclude_defaults=True)


CanonicalJson = Annotated[JsonValue, AfterValidator(_check_canonical)]
CaseThreshold = Annotated[float, Field(ge=-THRESHOLD_LIMIT, le=THRESHOLD_LIMIT, allow_inf_nan=False)]


class TurnIn(RequestModel):
    """A turn of a conversation as a file or a request has it."""

    user: Annotated[str, Field(min_length=1)] | None = None
    vars: dict[str, CanonicalJson] = Field(default_factory=dict)
    expected: CanonicalJson = None
    asserts: Annotated[
        list[Annotated[dict[str, Any], AfterValidator(_check_turn_scorer)]], Field(alias="assert", max_length=100)
    ] = Field(default_factory=list)
    threshold: CaseThreshold | None = None

    def turn(self) -> Turn:
        """Return the domain value."""
        return Turn(self.user, dict(self.vars), self.expected, tuple(self.asserts), self.threshold)


class CaseIn(RequestModel):
    """A case as a file or a request has it."""

    id: Printable
    vars: dict[str, CanonicalJson]
    expected: CanonicalJson = None
    cluster: Printable | None = None
    tags: Annotated[list[NonEmptyText], Field(max_length=50)] = Field(default_factory=list)
    metadata: dict[str, CanonicalJson] = Field(default_factory=dict)
    asserts: Annotated[
        list[Annotated[dict[str, Any], AfterValidator(_check_scorer)]], Field(alias="assert", max_length=100)
    ] = Field(default_factory=list)
    threshold: CaseThreshold | None = None
    transform: TransformValue = None
    source: dict[str, CanonicalJson] = Field(default_factory=dict)
    turns: Annotated[list[TurnIn], Field(max_length=TURNS_LIMIT)] = Field(default_factory=list)
    tool_results: dict[str, CanonicalJson] = Field(default_factory=dict)
    max_steps: Annotated[int, Field(ge=1, le=STEPS_LIMIT)] = DEFAULT_STEPS
    weight: Annotated[float, Field(gt=0, le=WEIGHT_LIMIT, allow_inf_nan=False)] = 1.0

    @model_validator(mode="wrap")
    @classmethod
    def _check_conversation(cls, value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
        if not isinstance(value, dict):
            return handler(value)
        body = {"vars": {}, **value} if value.get("turns") else value  # which may all stand in the turns
        return validate_with_errors(body, handler, _conversation_errors(value))

    def case(self) -> Case:
        """Return the domain value."""
        tags, asserts = tuple(self.tags), tuple(self.asserts)
        return Case(
            id=self.id,
            vars=dict(self.vars),
            expected=self.expected,
            cluster=self.cluster,
            tags=tags,
            metadata=dict(self.metadata),
            asserts=asserts,
            threshold=self.threshold,
            transform=self.transform,
            source=dict(self.source),
            turns=tuple(turn.turn() for turn in self.turns),
            tool_results=dict(self.tool_results),
            max_steps=self.max_steps,
            weight=self.weight,
        )


def _conversation_errors(case: JsonObject) -> Iterator[LocatedError]:
    """Yield what is wrong with the turns of a case and the results of its tools together."""
    turns, results = case.get("turns"), case.get("tool_results")
    if turns == []:
        yield ("turns",), "must have at least one turn"
    for number, turn in enumerate(turns if isinstance(turns, list) else ()):
        if number and isinstance(turn, dict) and not turn.get("user") and not turn.get("vars"):
            yield ("turns", number), "needs `user`, the user's message, or `vars`, with which the prompt is rendered again"
    for message in tool_results_errors(results) if isinstance(results, dict) else ():
        yield ("tool_results",), message
    if case.get("max_steps") is not None and not results:
        yield ("max_steps",), "goes with `tool_results`: without them a turn has one step"
