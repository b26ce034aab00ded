"""A case: what goes into a prompt, what should come out, and what belongs together when scores are averaged."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import AfterValidator, Field, JsonValue, StringConstraints

from promptuary.core.wire import DEPTH_LIMIT, NonEmptyText, RequestModel

INTEGER_LIMIT = 2**53 - 1
Printable = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]


@dataclass(frozen=True)
class Case:
    """One case of a dataset.

    `cluster` names what it shares with other cases (a customer, a document), so that they are not taken for independent;
    a case without one stands alone. `asserts` are scorers of this case alone, as a suite says them, beside the suite's;
    `threshold` lets the case pass by its score, whatever single scorers say.
    """

    id: str
    vars: dict[str, Any]
    expected: Any | None = None
    cluster: str | None = None
    tags: tuple[str, ...] = ()
    metadata: dict[str, Any] = field(default_factory=dict)
    asserts: tuple[dict[str, Any], ...] = ()
    threshold: float | None = None


def case_to_json(case: Case) -> dict[str, Any]:
    """Give the JSON that is stored and digested: every field by name; asserts and a threshold only where there are any."""
    own: dict[str, Any] = {"assert": list(case.asserts)} if case.asserts else {}
    if case.threshold is not None:
        own["threshold"] = case.threshold
    return own | {
        "id": case.id,
        "vars": case.vars,
        "expected": case.expected,
        "cluster": case.cluster,
        "tags": list(case.tags),
        "metadata": case.metadata,
    }


def case_from_json(body: dict[str, Any]) -> Case:
    """Read back what `case_to_json` gave; stored cases were checked when they came in."""
    fields = {name: value for name, value in body.items() if name != "assert"}
    return Case(**{**fields, "tags": tuple(body["tags"]), "asserts": tuple(body.get("assert", ()))})


def unsupported_values(value: Any, depth: int = 0) -> Iterator[str]:
    """Say what in a value canonical JSON cannot carry, so that it would have no digest."""
    if depth > DEPTH_LIMIT:
        yield f"is nested more than {DEPTH_LIMIT} deep"
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from unsupported_values(key, depth + 1)
            yield from unsupported_values(item, depth + 1)
    elif isinstance(value, list):
        for item in value:
            yield from unsupported_values(item, depth + 1)
    elif isinstance(value, float) and not math.isfinite(value):
        yield "has a number that is not finite"
    elif isinstance(value, int) and abs(value) > INTEGER_LIMIT:
        yield "has an integer beyond 2^53, which JSON's readers do not agree on; give it as a string"
    elif isinstance(value, str) and any(character == "\x00" or "\ud800" <= character <= "\udfff" for character in value):
        yield "has a NUL or a lone surrogate, which is no text"


def _carried(value: Any) -> Any:
    for fault in unsupported_values(value):
        raise ValueError(fault)
    return value


def _scorer(value: dict[str, Any]) -> dict[str, Any]:
    from promptuary.evaluation.scorers.spec import ScorerSpec

    return ScorerSpec.of_case(value).model_dump(mode="json", exclude_defaults=True)


CanonicalJson = Annotated[JsonValue, AfterValidator(_carried)]


class CaseIn(RequestModel):
    """A case as a file or a request says it."""

    id: Printable
    vars: dict[str, CanonicalJson]
    expected: CanonicalJson = None
    cluster: Printable | None = None
    tags: Annotated[list[NonEmptyText], Field(max_length=50)] = Field(default_factory=list)
    metadata: dict[str, CanonicalJson] = Field(default_factory=dict)
    asserts: Annotated[list[Annotated[dict[str, Any], AfterValidator(_scorer)]], Field(alias="assert", max_length=100)] = Field(
        default_factory=list
    )
    threshold: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] | None = None

    def case(self) -> Case:
        """Give the domain's value."""
        tags, asserts = tuple(self.tags), tuple(self.asserts)
        return Case(self.id, dict(self.vars), self.expected, self.cluster, tags, dict(self.metadata), asserts, self.threshold)
