"""The pairing of two datasets' cases by content: what is asked, and what the output must meet. Pure.

An id alone pairs nothing: two datasets that number their cases 1, 2, 3 can ask different questions under the same ids.
"""

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from promptuary.evaluation.case import Case, case_to_json
from promptuary.prompt.canonical_json import json_identity

EXAMPLES_LIMIT = 5
"""The most ids that are named for one reason."""
_NOT_CONTENT = frozenset({"id", "cluster", "tags", "metadata", "weight"})


class UnpairedReason(StrEnum):
    """The reason why a case of one run has no counterpart in the other run."""

    OTHER_VARIABLES = "other_variables"
    """The other run has other variables under the same id."""
    OTHER_EXPECTATION = "other_expectation"
    """The other run has the same variables, with another expected output or other checks."""
    FEWER_COPIES = "fewer_copies"
    """The other run has the same content less often."""
    ABSENT = "absent"
    """The other run has neither the content nor the id."""
    NO_RESULT = "no_result"
    """One of the two runs has no result of the case."""


@dataclass(frozen=True)
class CaseIdentity:
    """A case's id, with the digest of its content and that of its variables alone.

    The content is all that decides the output and its score: variables, expected output, scorers and threshold of the case.
    Tags, metadata and the cluster are not part of it, nor is the order of members in an object.
    """

    id: str
    content: bytes
    variables: bytes

    @classmethod
    def of(cls, case: Case) -> "CaseIdentity":
        """Compute the identity of a case."""
        if case.erased:  # else all erased cases of a dataset had one content
            erased = _digest({"erased": case.id})
            return cls(case.id, erased, erased)
        body = case_to_json(case)
        content = {name: value for name, value in body.items() if name not in _NOT_CONTENT and value not in (None, [], {})}
        return cls(case.id, _digest(content), _digest(_input(case)))


@dataclass(frozen=True)
class UnpairedCases:
    """The cases of one run that have no counterpart for one reason.

    Attributes:
        run: the id of the run that has the cases.
        reason: why they are not paired.
        cases: how many they are.
        examples: the ids of the first ones.
    """

    run: str
    reason: UnpairedReason
    cases: int
    examples: tuple[str, ...]


@dataclass(frozen=True)
class CasePairing:
    """The counterpart of each paired case, and the reason for each case without one.

    Attributes:
        pairs: the baseline's case by the candidate's, both by id, in the candidate's order.
        candidate: the reason for each unpaired case of the candidate.
        baseline: the reason for each unpaired case of the baseline.
    """

    pairs: Mapping[str, str]
    candidate: Mapping[str, UnpairedReason]
    baseline: Mapping[str, UnpairedReason]

    def rekeyed(self, scores: Mapping[str, float]) -> dict[str, float]:
        """Return the baseline's scores of paired cases by the candidate's ids, in the candidate's order."""
        return {case: scores[other] for case, other in self.pairs.items() if other in scores}

    def restricted(self, candidate: Collection[str], baseline: Collection[str]) -> "CasePairing":
        """Return the pairing of the cases that both runs have results of."""
        pairs = {case: other for case, other in self.pairs.items() if case in candidate and other in baseline}
        lost = {case: other for case, other in self.pairs.items() if case not in pairs}
        no_result = UnpairedReason.NO_RESULT
        return CasePairing(
            pairs,
            {**self.candidate, **{case: no_result for case in lost if case in candidate}},
            {**self.baseline, **{other: no_result for other in lost.values() if other in baseline}},
        )


def pair_cases(candidate: Iterable[CaseIdentity], baseline: Iterable[CaseIdentity]) -> CasePairing:
    """Pair the cases of two datasets by content.

    Where several cases have one content, those of one id are paired first, and the others in their order.
    """
    candidates, baselines = list(candidate), list(baseline)
    others = _by_content(baselines)
    counterparts: dict[str, str] = {}
    for content, cases in _by_content(candidates).items():
        counterparts |= _pair_copies(cases, others.get(content, ()))
    pairs = {case.id: counterparts[case.id] for case in candidates if case.id in counterparts}
    paired = set(pairs.values())
    return CasePairing(
        pairs,
        dict(_reasons((case for case in candidates if case.id not in pairs), baselines)),
        dict(_reasons((case for case in baselines if case.id not in paired), candidates)),
    )


def pair_by_id(cases: Iterable[str]) -> CasePairing:
    """Return the pairing of a dataset with itself."""
    return CasePairing({case: case for case in cases}, {}, {})


def group_unpaired(run: str, reasons: Mapping[str, UnpairedReason]) -> Iterator[UnpairedCases]:
    """Yield the unpaired cases of a run by reason."""
    for reason in UnpairedReason:
        cases = [case for case, why in reasons.items() if why is reason]
        if cases:
            yield UnpairedCases(run, reason, len(cases), tuple(cases[:EXAMPLES_LIMIT]))


def _by_content(cases: Iterable[CaseIdentity]) -> dict[bytes, list[CaseIdentity]]:
    copies: dict[bytes, list[CaseIdentity]] = defaultdict(list)
    for case in cases:
        copies[case.content].append(case)
    return copies


def _pair_copies(cases: Sequence[CaseIdentity], others: Sequence[CaseIdentity]) -> dict[str, str]:
    shared = {case.id for case in cases} & {other.id for other in others}
    rest = zip(
        (case.id for case in cases if case.id not in shared),
        (other.id for other in others if other.id not in shared),
        strict=False,
    )
    return {case: case for case in shared} | dict(rest)


def _reasons(unpaired: Iterable[CaseIdentity], others: Sequence[CaseIdentity]) -> Iterator[tuple[str, UnpairedReason]]:
    contents, variables = {other.content for other in others}, {other.variables for other in others}
    ids = {other.id for other in others}
    for case in unpaired:
        if case.content in contents:
            yield case.id, UnpairedReason.FEWER_COPIES
        elif case.variables in variables:
            yield case.id, UnpairedReason.OTHER_EXPECTATION
        else:
            yield case.id, UnpairedReason.OTHER_VARIABLES if case.id in ids else UnpairedReason.ABSENT


def _input(case: Case) -> object:
    """Return what a case asks: its variables, and the user's part of its turns."""
    return [case.vars, *([turn.user, turn.vars] for turn in case.turns)] if case.turns else case.vars


def _digest(value: object) -> bytes:
    return hashlib.sha256(json_identity(value).encode("utf-8", "surrogatepass")).digest()[:16]
