"""One case of a dataset: the variables of a prompt, the expected output, and what the case shares with other cases.

This is the domain value, which scorers read too. `datasets.case_schema` has the wire model, whose scorers are checked against
the catalog.
"""

from dataclasses import dataclass, field
from typing import Any

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


def case_to_json(case: Case) -> dict[str, Any]:
    """Return the JSON that is stored and digested: every field by name; those of later releases only where they are set."""
    own: dict[str, Any] = {"assert": list(case.asserts)} if case.asserts else {}
    if case.threshold is not None:
        own["threshold"] = case.threshold
    if case.transform is not None:
        own["transform"] = case.transform
    if case.source:
        own["source"] = case.source
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
    return Case(**{**fields, "tags": tuple(body["tags"]), "asserts": tuple(body.get("assert", ()))})
