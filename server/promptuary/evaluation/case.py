"""One case of a dataset: the variables of a prompt, the expected output, and what the case shares with other cases.

This is the domain value, which scorers read too. `datasets.case_schema` has the wire model, whose scorers are checked against
the catalog.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import JsonValue

from promptuary.evaluation.conversations.turn import DEFAULT_STEPS, Turn, turn_from_json, turn_to_json
from promptuary.evaluation.json_object import JsonObject


@dataclass(frozen=True)
class Case:
    """One case of a dataset.

    Attributes:
        id: unique in its dataset.
        vars: the prompt's variables by name.
        expected: the reference for scorers; None where there is none.
        cluster: names what the case shares with other cases (a customer, a document), so that they are not treated as
            independent; a case without one stands alone.
        tags: free labels.
        metadata: free JSON.
        asserts: scorers of this case alone, as JSON, beside the suite's.
        threshold: the score from which on the case passes, whatever single scorers decide.
        transform: makes the outputs of this case what is scored; None for the suite's.
        source: of a case of another product, what its code may read of the test beyond the other fields.
        turns: of a conversation, in their order; empty for a case that is answered once.
        tool_results: what calls of tools are answered with, by the tool's name, as `conversations.tool_results` describes it.
        max_steps: the most model calls in one turn, with those that call tools.
        weight: how many cases it stands for, above 0: the inverse of the chance with which it was sampled.
        erased: whether its contents were erased; no run has it.
    """

    id: str
    vars: JsonObject
    expected: Any | None = None
    cluster: str | None = None
    tags: tuple[str, ...] = ()
    metadata: JsonObject = field(default_factory=dict)
    asserts: tuple[JsonObject, ...] = ()
    threshold: float | None = None
    transform: Any | None = None
    source: JsonObject = field(default_factory=dict)
    turns: tuple[Turn, ...] = ()
    tool_results: Mapping[str, JsonValue] = field(default_factory=dict)
    max_steps: int = DEFAULT_STEPS
    weight: float = 1.0
    erased: bool = False

    @property
    def is_conversation(self) -> bool:
        """Whether it takes several calls of a model: it has turns, or results of tools."""
        return bool(self.turns or self.tool_results)

    @property
    def all_turns(self) -> tuple[Turn, ...]:
        """Its turns; the one that it is where it names none."""
        return self.turns or (Turn(),)

    @property
    def variable_names(self) -> frozenset[str]:
        """The names of its variables, those of its turns too."""
        return frozenset(self.vars).union(*(turn.vars for turn in self.turns))

    @property
    def has_scorers(self) -> bool:
        """Whether it or a turn of it has scorers of its own."""
        return bool(self.asserts) or any(turn.asserts for turn in self.turns)

    def of_turn(self, number: int) -> "Case":
        """Return the case as a turn has it: with the turn's variables beside its own, and the turn's expected output.

        A turn with a message of the user keeps the variables of the turns before it; another one asks with its own.

        Args:
            number: of the turn, from 1.
        """
        if not self.turns:
            return self
        turn = self.turns[number - 1]
        earlier = self.turns[: number - 1] if turn.user is not None else ()
        values = dict(self.vars)
        for each in (*earlier, turn):
            values |= each.vars
        return replace(self, vars=values, expected=turn.expected, asserts=turn.asserts)


def case_to_json(case: Case) -> dict[str, Any]:
    """Return the JSON that is stored and digested: every field by name; those of later releases only where they are set."""
    own: dict[str, Any] = {"assert": list(case.asserts)} if case.asserts else {}
    if case.threshold is not None:
        own["threshold"] = case.threshold
    if case.transform is not None:
        own["transform"] = case.transform
    if case.source:
        own["source"] = case.source
    if case.turns:
        own["turns"] = [turn_to_json(turn) for turn in case.turns]
    if case.tool_results:
        own["tool_results"] = case.tool_results
    if case.max_steps != DEFAULT_STEPS:
        own["max_steps"] = case.max_steps
    if case.weight != 1:
        own["weight"] = case.weight
    if case.erased:
        own["erased"] = True
    return own | {
        "id": case.id,
        "vars": case.vars,
        "expected": case.expected,
        "cluster": case.cluster,
        "tags": list(case.tags),
        "metadata": case.metadata,
    }


def case_from_json(body: JsonObject) -> Case:
    """Build a case from its stored JSON, which `case_to_json` wrote and which is not checked again."""
    fields = {name: value for name, value in body.items() if name != "assert"}
    parsed = {"tags": tuple(body["tags"]), "asserts": tuple(body.get("assert", ()))}
    if "turns" in body:
        parsed["turns"] = tuple(turn_from_json(turn) for turn in body["turns"])
    return Case(**{**fields, **parsed})
