"""What a correction makes of a case. Pure."""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from promptuary.evaluation.canonical_json import unsupported_values
from promptuary.evaluation.case import Case
from promptuary.review.queues.case_key import case_key

METADATA = "gold"
"""The name in a case's metadata under which its provenance stands."""


@dataclass(frozen=True)
class CorrectedCase:
    """A correction beside the case that it is of.

    Attributes:
        decision: the number of the decision that has the correction.
        case: as it was when its output was reviewed.
        text: the output as it should be.
        provenance: where the correction comes from, for the case's metadata.
    """

    decision: int
    case: Case
    text: str
    provenance: Mapping[str, Any]

    @property
    def key(self) -> str:
        """What identifies the case by its input."""
        return case_key(self.case)

    def gold(self, case: Case) -> Case:
        """Return a case of the same input with the correction as its expected output, and where it comes from.

        The output of a conversation is its last answer: what its last turn expects, and the whole where it expects something.
        """
        metadata = {**case.metadata, METADATA: dict(self.provenance)}
        if not case.turns:
            return replace(case, expected=_expected(self.text, case.expected), metadata=metadata)
        *earlier, last = case.turns
        last = replace(last, expected=_expected(self.text, last.expected))
        expected = None if case.expected is None else _expected(self.text, case.expected)
        return replace(case, turns=(*earlier, last), expected=expected, metadata=metadata)


def with_gold(cases: Iterable[Case], corrected: Mapping[str, CorrectedCase], gold_ids: dict[int, list[str]]) -> Iterator[Case]:
    """Yield a dataset's cases, those that were corrected as gold, and then the corrected ones that it does not have.

    Args:
        cases: of the dataset's newest version, in their order.
        corrected: by the key of the case.
        gold_ids: gets the ids of the gold cases by the decision.
    """
    ids: set[str] = set()
    for case in cases:
        ids.add(case.id)
        correction = corrected.get(case_key(case))
        if correction is not None:
            gold_ids.setdefault(correction.decision, []).append(case.id)
            case = correction.gold(case)
        yield case
    for correction in corrected.values():
        if correction.decision not in gold_ids:
            case = replace(correction.case, id=_free_id(correction, ids))
            ids.add(case.id)
            gold_ids[correction.decision] = [case.id]
            yield correction.gold(case)


def _free_id(correction: CorrectedCase, ids: Collection[str]) -> str:
    """Return the case's id, or one with the decision's number where another input has it."""
    name = correction.case.id
    return name if name not in ids else f"{name[:180]}.{correction.decision}"


def _expected(text: str, former: Any) -> Any:
    """Return the correction as the expected output: as JSON where the former one is JSON and the correction parses."""
    if former is None or isinstance(former, str):
        return text
    try:
        parsed = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return text
    return text if any(unsupported_values(parsed)) else parsed


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")
