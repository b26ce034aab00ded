"""Numbers that name a person, found by the pattern recognizers of Microsoft Presidio. No model is loaded or downloaded.

The package is installed by the operator: it requires spaCy, which the service does not need.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from promptuary.traffic.redaction.passage import PassageType, PersonalPassage, replace_passages
from promptuary.traffic.redaction.readable_text import read_text

REQUIREMENT = "presidio-analyzer==2.2.366"
RECOGNIZERS = (
    "CryptoRecognizer",
    "DeTaxIdRecognizer",
    "EsNieRecognizer",
    "EsNifRecognizer",
    "FiPersonalIdentityCodeRecognizer",
    "InAadhaarRecognizer",
    "IpRecognizer",
    "ItFiscalCodeRecognizer",
    "MacAddressRecognizer",
    "MedicalLicenseRecognizer",
    "NhsRecognizer",
    "PlPeselRecognizer",
    "SePersonnummerRecognizer",
    "UkNinoRecognizer",
    "UsBankRecognizer",
    "UsItinRecognizer",
    "UsLicenseRecognizer",
    "UsPassportRecognizer",
    "UsSsnRecognizer",
)
"""What the service's own patterns do not look for. The one for e-mail addresses would download a list of domains."""
SCORE = 0.4
"""The least score of a passage; a number without a check digit reaches it beside a word such as `passport`."""
WINDOW = 1000
"""Characters that are read at a time: Presidio's time grows with the square of the passages."""
OVERLAP = 200
SECONDS = 1.5
"""For one text; less than the time of a redaction, whose end does not end a function that still reads."""
_LANGUAGE = "en"
_WORDS = "promptuary_words"

FindSpans = Callable[[str], Iterable[tuple[int, int]]]


class PresidioRedaction:
    """Replaces what Presidio finds in a text, as it stands and as a person reads it."""

    def __init__(self, find_spans: FindSpans, clock: Callable[[], float] = time.monotonic) -> None:
        """Use a function that returns the start and end of each passage; `clock` returns seconds."""
        self._find_spans = find_spans
        self._clock = clock

    def __call__(self, text: str) -> str:
        """Return the text with a marker in place of each passage.

        Raises:
            TimeoutError: for a text that needs more than `SECONDS`.
        """
        deadline = self._clock() + SECONDS
        spans = list(self._spans(text, deadline))
        readable = read_text(text)
        if readable is not None:
            spans += [readable.span_of(start, end) for start, end in self._spans(readable.text, deadline)]
        return replace_passages(text, (PersonalPassage(start, end, PassageType.ENTITY) for start, end in spans))[0]

    def _spans(self, text: str, deadline: float) -> Iterator[tuple[int, int]]:
        for first in range(0, max(len(text) - OVERLAP, 1), WINDOW - OVERLAP):
            if self._clock() > deadline:
                raise TimeoutError
            for start, end in self._find_spans(text[first : first + WINDOW]):
                yield first + start, first + end


def build_presidio() -> PresidioRedaction:
    """Return the redaction with Presidio's recognizers.

    Raises:
        ImportError: where the package is not installed, or has other recognizers.
    """
    import spacy
    from presidio_analyzer import AnalyzerEngine, RecognizerRegistry, predefined_recognizers
    from presidio_analyzer.nlp_engine import SpacyNlpEngine

    recognizers = [_recognizer(predefined_recognizers, name) for name in RECOGNIZERS]
    language = spacy.blank(_LANGUAGE)
    if not language.has_factory(_WORDS):
        spacy.Language.component(_WORDS, func=_use_words_as_lemmas)
    language.add_pipe(_WORDS)
    engine = SpacyNlpEngine()
    engine.nlp = {_LANGUAGE: language}  # loaded, so that it downloads no model
    registry = RecognizerRegistry(recognizers=recognizers, supported_languages=[_LANGUAGE])
    analyzer = AnalyzerEngine(registry=registry, nlp_engine=engine, supported_languages=[_LANGUAGE])

    def find_spans(text: str) -> list[tuple[int, int]]:
        results = analyzer.analyze(text, language=_LANGUAGE, score_threshold=SCORE)
        return [(result.start, result.end) for result in results]

    return PresidioRedaction(find_spans)


def _recognizer(module: Any, name: str) -> Any:
    recognizer = getattr(module, name, None)
    if recognizer is None:
        raise ImportError(f"presidio_analyzer has no {name}")
    return recognizer(supported_language=_LANGUAGE)


def _use_words_as_lemmas(document: Any) -> Any:
    """Set the lemmas by which recognizers find words such as `passport`; without a model there are none."""
    for token in document:
        token.lemma_ = token.lower_
    return document
