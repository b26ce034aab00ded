"""The check of a suite's JavaScript before a run: its syntax, which only the engine knows."""

from collections.abc import Iterator

from promptuary.evaluation.scorers.assert_set import AssertSet
from promptuary.evaluation.scorers.code.javascript_code import JavaScriptScorer
from promptuary.evaluation.scorers.score import Scorer


def syntax_errors(scorer: Scorer) -> Iterator[str]:
    """Yield what is no JavaScript in a scorer, or in the scorers of a set; code with templates is known for each case only."""
    if isinstance(scorer, AssertSet):
        for nested in scorer.scorers:
            yield from syntax_errors(nested.scorer)
    elif isinstance(scorer, JavaScriptScorer):
        script = scorer.value.constant_script
        message = None if script is None else scorer.engine.syntax_error(script)
        if message is not None:
            yield f"is no JavaScript that can be run: {message}"
