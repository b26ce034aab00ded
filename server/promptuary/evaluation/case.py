"""A case: what goes into a prompt, what should come out, and what belongs together when scores are averaged."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import AfterValidator, Field, JsonValue, StringConstraints

from promptuary.base.wire import DEPTH_LIMIT, Labelled, Received
from promptuary.prompt.digest import digest

INTEGER_LIMIT = 2**53 - 1
Printable = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]


@dataclass(frozen=True)
class Case:
    """One case of a dataset.

    `cluster` names what it shares with other cases (a customer, a document), so that they are not taken for independent;
    a case without one stands alone.
    """

    id: str
    vars: dict[str, Any]
    expected: Any | None = None
    cluster: str | None = None
    tags: tuple[str, ...] = ()
    metadata: dict[str, Any] = field(default_factory=dict)


def case_json(case: Case) -> dict[str, Any]:
    """Give the JSON that is stored and digested: every field by name, the empty ones too."""
    return {
        "id": case.id,
        "vars": case.vars,
        "expected": case.expected,
        "cluster": case.cluster,
        "tags": list(case.tags),
        "metadata": case.metadata,
    }


def case_from_json(body: dict[str, Any]) -> Case:
    """Read back what `case_json` gave; stored cases were checked when they came in."""
    return Case(**{**body, "tags": tuple(body["tags"])})


def cases_digest(cases: Sequence[Case]) -> str:
    """Give the digest of the cases, which depends on their order."""
    return digest([case_json(case) for case in cases])


def uncarried(value: Any, depth: int = 0) -> Iterator[str]:
    """Say what in a value canonical JSON cannot carry, so that it would have no digest."""
    if depth > DEPTH_LIMIT:
        yield f"is nested more than {DEPTH_LIMIT} deep"
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from uncarried(key, depth + 1)
            yield from uncarried(item, depth + 1)
    elif isinstance(value, list):
        for item in value:
            yield from uncarried(item, depth + 1)
    elif isinstance(value, float) and not math.isfinite(value):
        yield "has a number that is not finite"
    elif isinstance(value, int) and abs(value) > INTEGER_LIMIT:
        yield "has an integer beyond 2^53, which JSON's readers do not agree on; give it as a string"
    elif isinstance(value, str) and any(character == "\x00" or "\ud800" <= character <= "\udfff" for character in value):
        yield "has a NUL or a lone surrogate, which is no text"


def _carried(value: Any) -> Any:
    for fault in uncarried(value):
        raise ValueError(fault)
    return value


Json = Annotated[JsonValue, AfterValidator(_carried)]


class CaseIn(Received):
    """A case as a file or a request says it."""

    id: Printable
    vars: dict[str, Json]
    expected: Json = None
    cluster: Printable | None = None
    tags: Annotated[list[Labelled], Field(max_length=50)] = Field(default_factory=list)
    metadata: dict[str, Json] = Field(default_factory=dict)

    def case(self) -> Case:
        """Give the domain's value."""
        return Case(self.id, dict(self.vars), self.expected, self.cluster, tuple(self.tags), dict(self.metadata))
