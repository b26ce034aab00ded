"""Scorers that compare an output with a text, exactly as it is: nothing is trimmed or folded that the type does not name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from promptuary.evaluation.scorers.markup.json_output import parse_json
from promptuary.evaluation.scorers.patterns import re2_pattern
from promptuary.evaluation.scorers.patterns.javascript import InvalidPattern
from promptuary.evaluation.scorers.score import BaseScorer, Score, ScorerInput
from promptuary.evaluation.scorers.scorer_type import GIVEN, OWN_PATTERN, PATTERN, TEXT, TEXTS, ScorerType
from promptuary.evaluation.scorers.value_template import ValueTemplate, parse_value, value_text
from promptuary.prompt.errors import Invalid


@dataclass(frozen=True)
class Equals(BaseScorer):
    """The output is the value: an object or a list as JSON, with keys in any order; all else, a text of JSON too, as text."""

    value: ValueTemplate

    async def score(self, sample: ScorerInput) -> Score:
        """Compare."""
        value = self.value.whole(sample.case)
        if isinstance(value, dict | list):
            given = parse_json(sample.output)
            holds = given is not None and json_equal(value, given[0])
        else:
            holds = value_text(value) == sample.output
        return self.answer(holds, f"the output {'equals' if holds else 'does not equal'} {_shown(value_text(value))}")


@dataclass(frozen=True)
class Contains(BaseScorer):
    """The output has the text, or any or all of several, somewhere in it; `fold` leaves case aside."""

    value: ValueTemplate
    quantity: Literal["one", "any", "all"]
    fold: bool

    async def score(self, sample: ScorerInput) -> Score:
        """Look for each of the texts."""
        many = self.quantity != "one"
        texts = self.value.texts(sample.case, commas=True) if many else [self.value.text(sample.case)]
        if "" in texts and not many:
            raise Invalid(f"the value is empty for case '{sample.case.id}'")
        output = sample.output.lower() if self.fold else sample.output
        missing = [text for text in texts if (text.lower() if self.fold else text) not in output]
        if self.quantity == "any":
            return self.answer(len(missing) < len(texts), f"contains {len(texts) - len(missing)} of {_shown(*texts)}")
        return self.answer(not missing, f"does not contain {_shown(*missing)}" if missing else f"contains {_shown(*texts)}")


@dataclass(frozen=True)
class StartsWith(BaseScorer):
    """The output begins with the text."""

    value: ValueTemplate

    async def score(self, sample: ScorerInput) -> Score:
        """Compare the beginning."""
        text = self.value.text(sample.case)
        if not text:
            raise Invalid(f"the value is empty for case '{sample.case.id}'")
        holds = sample.output.startswith(text)
        return self.answer(holds, f"{'starts' if holds else 'does not start'} with {_shown(text)}")


@dataclass(frozen=True)
class Regex(BaseScorer):
    """The pattern, as JavaScript reads it, matches somewhere in the output.

    What is no pattern in JavaScript, such as `(?i)` at the beginning, is a fault of a suite; of a case it fails with a score of
    0, with `not-` too, as promptfoo has it.
    `compiled` is the pattern where no template is in it, or says what is wrong with it.
    """

    value: ValueTemplate
    compiled: Any

    @classmethod
    def of(cls, name: str, weight: float, inverse: bool, value: ValueTemplate) -> "Regex":
        """Compile a pattern that is the same for all cases, once.

        Raises:
            Invalid: for a pattern that JavaScript takes and RE2 does not: it has look-around or references back.
        """
        return cls(name, weight, inverse, value, _compiled(value.parsed) if value.constant else None)

    async def score(self, sample: ScorerInput) -> Score:
        """Search the output."""
        source = self.value.text(sample.case)
        compiled = self.compiled or _compiled(source)
        if isinstance(compiled, InvalidPattern):
            return Score(self.name, False, 0.0, f"{_shown(source)} is no pattern in JavaScript: {compiled.message}")
        holds = re2_pattern.matches(compiled, sample.output)
        return self.answer(holds, f"{'matches' if holds else 'does not match'} {_shown(source)}")


def _compiled(source: str) -> Any:
    try:
        return re2_pattern.compile_javascript(source)
    except InvalidPattern as error:
        return error


def json_equal(left: Any, right: Any) -> bool:
    """Tell whether two JSON values are equal; true is not 1, and 1 is 1.0."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        return left.keys() == right.keys() and all(json_equal(value, right[key]) for key, value in left.items())
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(json_equal, left, right))
    return bool(left == right)


def _shown(*texts: str, limit: int = 120) -> str:
    """Quote texts for a reason, each cut to a length that a table bears."""

    def quoted(texts: Sequence[str]) -> str:
        return ", ".join(f"'{text[:limit]}…'" if len(text) > limit else f"'{text}'" for text in texts)

    return quoted(texts[:5]) + (f" and {len(texts) - 5} more" if len(texts) > 5 else "")


def _contains(quantity: Literal["one", "any", "all"], *, fold: bool) -> ScorerType:
    return ScorerType(
        TEXT if quantity == "one" else TEXTS,
        lambda spec, _: Contains(spec.metric, spec.weight, spec.inverse, parse_value(spec.value), quantity, fold),
    )


SCORER_TYPES: dict[str, ScorerType] = {
    "equals": ScorerType(GIVEN, lambda spec, _: Equals(spec.metric, spec.weight, spec.inverse, parse_value(spec.value))),
    "contains": _contains("one", fold=False),
    "icontains": _contains("one", fold=True),
    "contains-any": _contains("any", fold=False),
    "contains-all": _contains("all", fold=False),
    "icontains-any": _contains("any", fold=True),
    "icontains-all": _contains("all", fold=True),
    "starts-with": ScorerType(
        TEXT, lambda spec, _: StartsWith(spec.metric, spec.weight, spec.inverse, parse_value(spec.value))
    ),
    "regex": ScorerType(
        PATTERN, lambda spec, _: Regex.of(spec.metric, spec.weight, spec.inverse, parse_value(spec.value)), own=OWN_PATTERN
    ),
}
