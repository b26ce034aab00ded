"""The wire model of a case, as a file or a request has it; its scorers are checked against the catalog."""

from typing import Annotated, Any

from pydantic import AfterValidator, Field, JsonValue, StringConstraints

from promptuary.core.wire import NonEmptyText, RequestModel
from promptuary.evaluation.canonical_json import unsupported_values
from promptuary.evaluation.case import Case
from promptuary.evaluation.scorers.spec import ScorerSpec
from promptuary.evaluation.scorers.transforms.steps import TransformValue

THRESHOLD_LIMIT = 1e9
"""Scores are from 0 to 1, but for those of a suite's own JavaScript, which may be any number."""
Printable = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]


def _check_canonical(value: Any) -> Any:
    for message in unsupported_values(value):
        raise ValueError(message)
    return value


def _check_scorer(value: dict[str, Any]) -> dict[str, Any]:
    return ScorerSpec.of_case(value).model_dump(mode="json", exclude_defaults=True)


CanonicalJson = Annotated[JsonValue, AfterValidator(_check_canonical)]


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
    threshold: Annotated[float, Field(ge=-THRESHOLD_LIMIT, le=THRESHOLD_LIMIT, allow_inf_nan=False)] | None = None
    transform: TransformValue = None
    source: dict[str, CanonicalJson] = Field(default_factory=dict)

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
        )
