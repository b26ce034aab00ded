"""Scorers that count what words and runs of words an output shares with reference texts: ROUGE, BLEU, GLEU and METEOR.

They are promptfoo's, score by score, and so not always those of the libraries: sacrebleu tokenizes, smooths and clips against
all references at once, NLTK's GLEU keeps case, and NLTK's METEOR needs WordNet; its stemmer is the one here. The formulas
are those of Papineni et al. (ACL 2002) for BLEU, Wu et al. (arXiv:1609.08144) for GLEU, Lin (ACL 2004) for ROUGE, and Banerjee
and Lavie (ACL 2005) for METEOR.
"""

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from promptuary.evaluation.scorers.score import BaseScorer, Score, ScorerInput
from promptuary.evaluation.scorers.scorer_type import GIVEN, TEXTS, ScorerDependencies, ScorerType
from promptuary.evaluation.scorers.text import treebank
from promptuary.evaluation.scorers.value_template import ValueTemplate, parse_value

if TYPE_CHECKING:
    from promptuary.evaluation.scorers.spec import ScorerSpec

ROUGE_THRESHOLD, DEFAULT_THRESHOLD = 0.75, 0.5
ORDERS = (1, 2, 3, 4)
ALPHA, BETA, GAMMA = 0.9, 3.0, 0.5
_UNSEEN = 1e-7
_SPACE = re.compile(f"[{treebank.JAVASCRIPT_SPACE}]+")
_DOTS = re.compile(r"\.+\Z")

Measure = Callable[[str, Sequence[str]], float]


@dataclass(frozen=True)
class Overlap(BaseScorer):
    """The output reaches `threshold` on a measure of what it shares with the text, or with the best of several.

    Attributes:
        value: the reference texts.
        threshold: from 0 to 1.
        measure: output and references to a score in [0, 1].
        label: the measure's name.
        single: whether there is one reference only.
        needs_output: whether an empty output fails whatever is asked, with `not-` too, as promptfoo has it.
    """

    value: ValueTemplate
    threshold: float
    measure: Measure
    label: str
    single: bool = False
    needs_output: bool = False

    async def score(self, sample: ScorerInput) -> Score:
        """Measure."""
        if self.needs_output and not sample.output:
            return Score(self.name, False, 0.0, "the output is empty")
        texts = [self.value.text(sample.case)] if self.single else self.value.texts(sample.case, commas=False)
        score = self.measure(sample.output, texts)
        return self.reached(score, self.threshold, f"{self.label} {score:.4f}, threshold {self.threshold:g}")


def rouge_1(output: str, references: Sequence[str]) -> float:
    """Give ROUGE-1 as an F-score: the mean of how much of the output is in the reference and the other way round."""
    ours, theirs = (Counter(treebank.tokenize(text.lower())) for text in (output, references[0]))
    shared = (ours & theirs).total()
    return 2 * shared / (ours.total() + theirs.total()) if shared else 0.0


def bleu(output: str, references: Sequence[str]) -> float:
    """Give BLEU-4 of one sentence, its case left aside.

    Runs that the output is too short for are left out, a precision of 0 counts as 1e-7; each reference clips by itself, the
    best one counts, and brevity goes by the reference nearest in length.
    """
    ours = _words(output)
    if not ours:
        return 0.0
    theirs = [_words(reference) or [""] for reference in references]
    logs = [math.log(_precision(ours, theirs, order) or _UNSEEN) for order in ORDERS if order <= len(ours)]
    nearest = min((len(reference) for reference in theirs), key=lambda length: (abs(length - len(ours)), length))
    brevity = 1.0 if len(ours) > nearest else math.exp(1 - nearest / len(ours))
    return brevity * math.exp(math.fsum(logs) / len(logs))


def _precision(ours: list[str], theirs: list[list[str]], order: int) -> float:
    runs = _runs(ours, order)
    return max((runs & _runs(reference, order)).total() for reference in theirs) / runs.total()


def gleu(output: str, references: Sequence[str]) -> float:
    """Give GLEU: the lower of precision and recall over all runs of one to four words, without full stops at words' ends."""
    ours = _plain(output)
    return max(_gleu(ours, _plain(reference)) for reference in references)


def _gleu(ours: list[str], theirs: list[str]) -> float:
    if ours == theirs:
        return 1.0
    pairs = [(_runs(ours, order), _runs(theirs, order)) for order in ORDERS]
    shared = sum((left & right).total() for left, right in pairs)
    return shared / max(sum(left.total() for left, _ in pairs), sum(right.total() for _, right in pairs))


def meteor(output: str, references: Sequence[str], alpha: float = ALPHA, beta: float = BETA, gamma: float = GAMMA) -> float:
    """Give METEOR by exact words and by stems (Porter's), without synonyms: no WordNet is at hand.

    promptfoo's is higher where the two texts share synonyms, and the same elsewhere.
    """
    ours = [_DOTS.sub("", word).lower() for word in _SPACE.split(output)]
    return max(
        _meteor(ours, [_DOTS.sub("", word).lower() for word in _SPACE.split(text)], alpha, beta, gamma) for text in references
    )


def _meteor(ours: list[str], theirs: list[str], alpha: float, beta: float, gamma: float) -> float:
    exact, left, right = _matched(list(enumerate(ours)), list(enumerate(theirs)))
    stemmed, _, _ = _matched([(at, _stem(word)) for at, word in left], [(at, _stem(word)) for at, word in right])
    pairs = sorted(exact + stemmed)
    if not pairs:
        return 0.0
    precision, recall = len(pairs) / len(ours), len(pairs) / len(theirs)
    mean = precision * recall / (alpha * precision + (1 - alpha) * recall)
    chunks = 1 + sum((a + 1, b + 1) != after for (a, b), after in pairwise(pairs))
    return float((1 - gamma * (chunks / len(pairs)) ** beta) * mean)


IndexedWords = list[tuple[int, str]]


def _matched(ours: IndexedWords, theirs: IndexedWords) -> tuple[list[tuple[int, int]], IndexedWords, IndexedWords]:
    """Pair equal words from the last to the first; give the pairs, and what is left on both sides."""
    places: dict[str, list[int]] = {}
    for at, word in theirs:
        places.setdefault(word, []).append(at)
    pairs = [(at, places[word].pop()) for at, word in reversed(ours) if places.get(word)]
    left, right = {at for at, _ in pairs}, {at for _, at in pairs}
    return pairs, [one for one in ours if one[0] not in left], [one for one in theirs if one[0] not in right]


@lru_cache(maxsize=10_000)
def _stem(word: str) -> str:
    return str(_stemmer().stem(word)) if len(word) > 2 else word


@lru_cache(maxsize=1)
def _stemmer() -> Any:
    from nltk.stem.porter import PorterStemmer

    return PorterStemmer(mode=PorterStemmer.MARTIN_EXTENSIONS)


def _words(text: str) -> list[str]:
    """Part a text at its white space, in lower case; an empty one has no words."""
    return [word for word in _SPACE.split(text.lower()) if word]


def _plain(text: str) -> list[str]:
    return [_DOTS.sub("", word) for word in _words(text) or [""]]


def _runs(words: Sequence[str], order: int) -> Counter[str]:
    return Counter(" ".join(words[at : at + order]) for at in range(len(words) - order + 1))


def _kind(measure: Measure, label: str, threshold: float, *, single: bool = False, needs_output: bool = False) -> ScorerType:
    def build(spec: "ScorerSpec", _: ScorerDependencies) -> Overlap:
        reached = threshold if spec.threshold is None else spec.threshold
        return Overlap(
            spec.metric, spec.weight, spec.inverse, parse_value(spec.value), reached, measure, label, single, needs_output
        )

    return ScorerType(GIVEN if single else TEXTS, build, threshold=(0, 1))


def _parameters(config: Any) -> str | None:
    if unknown := sorted(config.keys() - {"alpha", "beta", "gamma"}):
        return f"does not know {', '.join(unknown)}; known are alpha, beta and gamma"
    if not all(
        isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 10 for value in config.values()
    ):
        return "must be numbers from 0 to 10"
    if not 0 <= config.get("alpha", ALPHA) <= 1 or not 0 <= config.get("gamma", GAMMA) <= 1:
        return "must have alpha and gamma from 0 to 1"
    return None


def _meteor_scorer(spec: "ScorerSpec", _: ScorerDependencies) -> Overlap:
    weights: dict[str, Any] = spec.config or {}
    return Overlap(
        spec.metric,
        spec.weight,
        spec.inverse,
        parse_value(spec.value),
        DEFAULT_THRESHOLD if spec.threshold is None else spec.threshold,
        lambda output, references: meteor(output, references, **weights),
        "METEOR",
        needs_output=True,
    )


SCORER_TYPES: dict[str, ScorerType] = {
    "rouge-n": _kind(rouge_1, "ROUGE-1", ROUGE_THRESHOLD, single=True),
    "bleu": _kind(bleu, "BLEU", DEFAULT_THRESHOLD),
    "gleu": _kind(gleu, "GLEU", DEFAULT_THRESHOLD, needs_output=True),
    "meteor": ScorerType(TEXTS, _meteor_scorer, threshold=(0, 1), config=_parameters),
}
