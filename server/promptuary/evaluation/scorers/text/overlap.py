"""Scorers that count the words and n-grams that an output shares with reference texts: ROUGE, BLEU, GLEU and METEOR.

Why own code: the scores are promptfoo's, and the libraries compute others. sacrebleu tokenizes, smooths and clips against all
references at once; `rouge-score` has another tokenizer; NLTK's GLEU keeps case, and NLTK's METEOR needs WordNet. NLTK's Porter
stemmer is the one used here. The formulas are those of Papineni et al. (ACL 2002) for BLEU, Wu et al. (arXiv:1609.08144) for
GLEU, Lin (ACL 2004) for ROUGE, and Banerjee and Lavie (ACL 2005) for METEOR.
"""

import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any, ClassVar, Self

from pydantic import JsonValue

from promptuary.evaluation.scorers.dependencies import ScorerDependencies
from promptuary.evaluation.scorers.patterns.javascript import JAVASCRIPT_SPACE
from promptuary.evaluation.scorers.score import BaseScorer, Score, ScorerInput
from promptuary.evaluation.scorers.scorer_type import (
    NoConfig,
    ScorerConfig,
    ScorerSettings,
    ScorerType,
    ThresholdRange,
)
from promptuary.evaluation.scorers.text import treebank
from promptuary.evaluation.scorers.value_template import ValueTemplate
from promptuary.evaluation.scorers.values import TemplateValue, TextListValue
from promptuary.prompt.errors import Invalid

ROUGE_THRESHOLD, DEFAULT_THRESHOLD = 0.75, 0.5
ORDERS = (1, 2, 3, 4)
_ZERO_PRECISION = 1e-7
_SPACE = re.compile(f"[{JAVASCRIPT_SPACE}]+")
_FINAL_DOTS = re.compile(r"\.+\Z")

Measure = Callable[[str, Sequence[str]], float]


@dataclass(frozen=True)
class Metric:
    """A measure of overlap.

    Attributes:
        name: for people.
        measure: maps an output and its references to a score in [0, 1].
        single_reference: whether there is one reference only.
        fails_empty: whether an empty output fails in any case, with `not-` too, as in promptfoo.
    """

    name: str
    measure: Measure
    single_reference: bool = False
    fails_empty: bool = False


@dataclass(frozen=True)
class Overlap(BaseScorer):
    """Passes if the overlap of the output with the text, or with the best of several, reaches `threshold`."""

    waits: ClassVar[bool] = False

    references: ValueTemplate
    threshold: float
    metric: Metric

    async def score(self, sample: ScorerInput) -> Score:
        """Measure the overlap."""
        if self.metric.fails_empty and not sample.output:
            return Score(self.name, False, 0.0, "the output is empty")
        single = self.metric.single_reference
        texts = [self.references.text(sample.case)] if single else self.references.texts(sample.case, commas=False)
        score = self.metric.measure(sample.output, texts)
        return self.compared(score, self.threshold, f"{self.metric.name} {score:.4f}, threshold {self.threshold:g}")


@dataclass(frozen=True)
class MeteorConfig(ScorerConfig):
    """The parameters of METEOR.

    Attributes:
        alpha: the weight of precision against recall, from 0 to 1.
        beta: the exponent of the fragmentation, from 0 to 10.
        gamma: the largest penalty, from 0 to 1.
    """

    alpha: float = 0.9
    beta: float = 3.0
    gamma: float = 0.5

    @classmethod
    def parse(cls, config: Mapping[str, JsonValue]) -> Self:
        """Parse the parameters that are given."""
        if unknown := sorted(config.keys() - {"alpha", "beta", "gamma"}):
            raise Invalid(f"does not know {', '.join(unknown)}; known are alpha, beta and gamma")
        numbers = {name: value for name, value in config.items() if isinstance(value, int | float)}
        if len(numbers) < len(config) or not all(
            not isinstance(number, bool) and 0 <= number <= 10 for number in numbers.values()
        ):
            raise Invalid("must be numbers from 0 to 10")
        parsed = cls(**numbers)
        if parsed.alpha > 1 or parsed.gamma > 1:
            raise Invalid("must have alpha and gamma from 0 to 1")
        return parsed


def rouge_1(output: str, references: Sequence[str]) -> float:
    """Return ROUGE-1 as an F-score in [0, 1]: the harmonic mean of precision and recall of single words."""
    words, reference = (Counter(treebank.tokenize(text.lower())) for text in (output, references[0]))
    shared = (words & reference).total()
    return 2 * shared / (words.total() + reference.total()) if shared else 0.0


def bleu(output: str, references: Sequence[str]) -> float:
    """Return BLEU-4 of one sentence in [0, 1], without case.

    N-grams longer than the output are left out, and a precision of 0 counts as 1e-7. Each reference clips by itself and the
    best one counts. The brevity penalty uses the reference that is nearest in length.
    """
    words = _lower_words(output)
    if not words:
        return 0.0
    reference_words = [_lower_words(reference) or [""] for reference in references]
    logs = [math.log(_precision(words, reference_words, order) or _ZERO_PRECISION) for order in ORDERS if order <= len(words)]
    nearest = min((len(reference) for reference in reference_words), key=lambda length: (abs(length - len(words)), length))
    brevity = 1.0 if len(words) > nearest else math.exp(1 - nearest / len(words))
    return brevity * math.exp(math.fsum(logs) / len(logs))


def _precision(words: list[str], references: list[list[str]], order: int) -> float:
    ngrams = _ngrams(words, order)
    return max((ngrams & _ngrams(reference, order)).total() for reference in references) / ngrams.total()


def gleu(output: str, references: Sequence[str]) -> float:
    """Return GLEU in [0, 1]: the lower of precision and recall over all n-grams of 1 to 4 words, without final full stops."""
    words = _words_without_dots(output)
    return max(_gleu(words, _words_without_dots(reference)) for reference in references)


def _gleu(words: list[str], reference: list[str]) -> float:
    if words == reference:
        return 1.0
    pairs = [(_ngrams(words, order), _ngrams(reference, order)) for order in ORDERS]
    shared = sum((left & right).total() for left, right in pairs)
    return shared / max(sum(left.total() for left, _ in pairs), sum(right.total() for _, right in pairs))


def meteor(output: str, references: Sequence[str], config: MeteorConfig | None = None) -> float:
    """Return METEOR in [0, 1], by exact words and by Porter's stems, without synonyms, because there is no WordNet here.

    promptfoo's is higher where the two texts share synonyms, and the same elsewhere.
    """
    parameters = config or MeteorConfig()
    words = _meteor_words(output)
    return max(_meteor(words, _meteor_words(reference), parameters) for reference in references)


def _meteor_words(text: str) -> list[str]:
    return [_FINAL_DOTS.sub("", word).lower() for word in _SPACE.split(text)]


def _meteor(words: list[str], reference: list[str], parameters: MeteorConfig) -> float:
    exact, rest, reference_rest = _match(list(enumerate(words)), list(enumerate(reference)))
    stems, reference_stems = ([(index, _stem(word)) for index, word in side] for side in (rest, reference_rest))
    stemmed, _, _ = _match(stems, reference_stems)
    pairs = sorted(exact + stemmed)
    if not pairs:
        return 0.0
    precision, recall = len(pairs) / len(words), len(pairs) / len(reference)
    mean = precision * recall / (parameters.alpha * precision + (1 - parameters.alpha) * recall)
    chunks = 1 + sum((left + 1, right + 1) != following for (left, right), following in pairwise(pairs))
    return float((1 - parameters.gamma * (chunks / len(pairs)) ** parameters.beta) * mean)


IndexedWords = list[tuple[int, str]]


def _match(words: IndexedWords, reference: IndexedWords) -> tuple[list[tuple[int, int]], IndexedWords, IndexedWords]:
    """Pair equal words from the last to the first; return the pairs of indexes, and what is left on both sides."""
    indexes: dict[str, list[int]] = {}
    for index, word in reference:
        indexes.setdefault(word, []).append(index)
    pairs = [(index, indexes[word].pop()) for index, word in reversed(words) if indexes.get(word)]
    paired, reference_paired = {index for index, _ in pairs}, {index for _, index in pairs}
    rest = [indexed for indexed in words if indexed[0] not in paired]
    return pairs, rest, [indexed for indexed in reference if indexed[0] not in reference_paired]


@lru_cache(maxsize=10_000)
def _stem(word: str) -> str:
    return str(_stemmer().stem(word)) if len(word) > 2 else word


@lru_cache(maxsize=1)
def _stemmer() -> Any:
    from nltk.stem.porter import PorterStemmer

    return PorterStemmer(mode=PorterStemmer.MARTIN_EXTENSIONS)


def _lower_words(text: str) -> list[str]:
    """Return a text's words, separated by white space, in lower case; an empty text has none."""
    return [word for word in _SPACE.split(text.lower()) if word]


def _words_without_dots(text: str) -> list[str]:
    return [_FINAL_DOTS.sub("", word) for word in _lower_words(text) or [""]]


def _ngrams(words: Sequence[str], order: int) -> Counter[str]:
    return Counter(" ".join(words[start : start + order]) for start in range(len(words) - order + 1))


def _overlap_type(metric: Metric, threshold: float) -> ScorerType[Any, Any]:
    def build(settings: ScorerSettings[Any, NoConfig], _: ScorerDependencies) -> Overlap:
        return Overlap(*settings.base, settings.value.template, settings.known_threshold, metric)

    value = TemplateValue if metric.single_reference else TextListValue
    return ScorerType(value, build, threshold=ThresholdRange(0, 1, default=threshold))


def _build_meteor(settings: ScorerSettings[TextListValue, MeteorConfig], _: ScorerDependencies) -> Overlap:
    def measure(output: str, references: Sequence[str]) -> float:
        return meteor(output, references, settings.config)

    metric = Metric("METEOR", measure, fails_empty=True)
    return Overlap(*settings.base, settings.value.template, settings.known_threshold, metric)


SCORER_TYPES: dict[str, ScorerType[Any, Any]] = {
    "rouge-n": _overlap_type(Metric("ROUGE-1", rouge_1, single_reference=True), ROUGE_THRESHOLD),
    "bleu": _overlap_type(Metric("BLEU", bleu), DEFAULT_THRESHOLD),
    "gleu": _overlap_type(Metric("GLEU", gleu, fails_empty=True), DEFAULT_THRESHOLD),
    "meteor": ScorerType(
        TextListValue, _build_meteor, threshold=ThresholdRange(0, 1, default=DEFAULT_THRESHOLD), config=MeteorConfig
    ),
}
