"""The types of scorers, and how a suite's words become a scorer."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from promptuary.evaluation.scorers.json_output import ContainsJson, IsJson
from promptuary.evaluation.scorers.measure import Latency, Levenshtein, WordCount
from promptuary.evaluation.scorers.rubric import LlmRubric
from promptuary.evaluation.scorers.schema import schema_of
from promptuary.evaluation.scorers.score import Scorer
from promptuary.evaluation.scorers.similar import Similar
from promptuary.evaluation.scorers.spec import KINDS, ScorerSpec
from promptuary.evaluation.scorers.text import Contains, Equals, Regex, StartsWith
from promptuary.evaluation.scorers.value import value_of

TYPES: frozenset[str] = frozenset(KINDS)


@dataclass(frozen=True)
class ScorerParts:
    """What scorers need from outside.

    Attributes:
        embed: texts to an n×d float array with rows of unit length; may block, is called in a thread.
        chat: a model's name, as in `local:smollm2`, to LangChain's chat model; may block, is called in a thread.
    """

    embed: Callable[[Sequence[str]], Any]
    chat: Callable[[str], Any]


def build(spec: ScorerSpec, parts: ScorerParts) -> Scorer:
    """Make the scorer that a suite asks for; its templates, pattern and schema are parsed once, here.

    Raises:
        Invalid: for a value that a checked suite cannot have.
    """
    name, weight, inverse, kind = spec.metric, spec.weight, spec.inverse, spec.kind
    if kind in ("is-json", "contains-json"):
        schema = None if spec.value is None else schema_of(spec.value)
        return (IsJson if kind == "is-json" else ContainsJson)(name, weight, inverse, schema)
    if kind == "word-count":
        return WordCount.of(name, weight, inverse, spec.value)
    if kind == "latency" and spec.threshold is not None:
        return Latency(name, weight, inverse, spec.threshold)
    value = value_of(spec.value)
    match kind:
        case "equals":
            return Equals(name, weight, inverse, value)
        case "starts-with":
            return StartsWith(name, weight, inverse, value)
        case "regex":
            return Regex.of(name, weight, inverse, value)
        case "levenshtein":
            return Levenshtein(name, weight, inverse, value, 5 if spec.threshold is None else spec.threshold)
        case "similar":
            return Similar(name, weight, inverse, value, 0.75 if spec.threshold is None else spec.threshold, parts.embed)
        case "llm-rubric" if spec.model:
            return LlmRubric(name, weight, inverse, value, spec.threshold, spec.model, parts.chat)
    fold = kind.startswith("i")
    match kind.removeprefix("i"):
        case "contains":
            return Contains(name, weight, inverse, value, "one", fold)
        case "contains-any":
            return Contains(name, weight, inverse, value, "any", fold)
        case "contains-all":
            return Contains(name, weight, inverse, value, "all", fold)
    raise ValueError(f"no scorer is of the type '{spec.type}'")
