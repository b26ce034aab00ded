"""The check of a suite's JavaScript before a run: its syntax, which only the engine knows."""

from collections.abc import Iterator

from promptuary.evaluation.javascript.engine import JavaScriptEngine
from promptuary.evaluation.javascript.script import Script
from promptuary.evaluation.scorers.assert_set import AssertSet, EachTurn
from promptuary.evaluation.scorers.code.javascript_code import JavaScriptScorer
from promptuary.evaluation.scorers.score import Scorer
from promptuary.evaluation.scorers.transforms.transform import Transform
from promptuary.evaluation.scorers.transforms.transformed_scorer import TransformedScorer


def syntax_errors(scorer: Scorer) -> Iterator[tuple[str, str]]:
    """Yield the field and the message of what is no JavaScript in a scorer, or in the scorers of a set.

    Code with templates is known for each case only.
    """
    if isinstance(scorer, AssertSet):
        for nested in scorer.scorers:
            yield from syntax_errors(nested.scorer)
    elif isinstance(scorer, EachTurn):
        yield from syntax_errors(scorer.scorer)
    elif isinstance(scorer, TransformedScorer):
        yield from ((field, message) for field, part in _parts(scorer) for message in transform_syntax_errors(part))
        yield from syntax_errors(scorer.scorer)
    elif isinstance(scorer, JavaScriptScorer):
        script = scorer.value.constant_script
        if script is not None and (message := _error(scorer.engine, script)):
            yield "value", message


def transform_syntax_errors(transform: Transform | None) -> Iterator[str]:
    """Yield the message of what is no JavaScript in a transform."""
    if transform is not None and transform.engine is not None:
        for script in transform.scripts():
            if message := _error(transform.engine, script):
                yield message


def _parts(scorer: TransformedScorer) -> tuple[tuple[str, Transform | None], ...]:
    return ("transform", scorer.output), ("context_transform", scorer.context)


def _error(engine: JavaScriptEngine, script: Script) -> str | None:
    message = engine.syntax_error(script)
    return None if message is None else f"is no JavaScript that can be run: {message}"
