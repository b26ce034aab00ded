"""Whether an output stands in the judge's own text as an example, so that its label cannot grade the judge. Pure."""

from promptuary.evaluation.judges.identity import MetricJudge

SHORTEST_EXAMPLE = 20
"""Shorter outputs, such as a label, stand in many rubrics by chance."""


def is_example(output: str | None, judge: MetricJudge) -> bool:
    """Return whether the judge's instruction or rubric quotes an output; white space and case do not count."""
    quoted = _plain(output or "")
    return len(quoted) >= SHORTEST_EXAMPLE and any(quoted in _plain(text) for text in judge.texts)


def _plain(text: str) -> str:
    return " ".join(text.split()).casefold()
