"""The catalog of scorer types: the families of this package, and those of installed plug-ins.

It imports every family, and no family imports it. A scorer that is made of others gets them built, by `factory`.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any

from promptuary.evaluation.scorers import assert_set
from promptuary.evaluation.scorers.call import measurements, retrieval, tool_calls
from promptuary.evaluation.scorers.code import javascript_code, python_code, webhook
from promptuary.evaluation.scorers.judge import graded, rag, rubric, select_best
from promptuary.evaluation.scorers.markup import html_output, json_output, sql_output, xml_output
from promptuary.evaluation.scorers.plugins import load_plugins
from promptuary.evaluation.scorers.scorer_type import ScorerType
from promptuary.evaluation.scorers.text import comparison, overlap, refusal, similar
from promptuary.evaluation.scorers.trajectory import arguments, goal, tools

FAMILIES: tuple[Mapping[str, ScorerType[Any, Any]], ...] = (
    comparison.SCORER_TYPES,
    json_output.SCORER_TYPES,
    xml_output.SCORER_TYPES,
    html_output.SCORER_TYPES,
    sql_output.SCORER_TYPES,
    overlap.SCORER_TYPES,
    measurements.SCORER_TYPES,
    refusal.SCORER_TYPES,
    tool_calls.SCORER_TYPES,
    retrieval.SCORER_TYPES,
    similar.SCORER_TYPES,
    rubric.SCORER_TYPES,
    graded.SCORER_TYPES,
    rag.SCORER_TYPES,
    select_best.SCORER_TYPES,
    python_code.SCORER_TYPES,
    javascript_code.SCORER_TYPES,
    webhook.SCORER_TYPES,
    tools.SCORER_TYPES,
    arguments.SCORER_TYPES,
    goal.SCORER_TYPES,
    assert_set.SCORER_TYPES,
)


@cache
def scorer_types() -> Mapping[str, ScorerType[Any, Any]]:
    """Return every type by its name without `not-`.

    Raises:
        BrokenPlugin: for an installed plug-in that cannot be used.
    """
    built_in = {name: scorer_type for family in FAMILIES for name, scorer_type in family.items()}
    return built_in | load_plugins(built_in)


def find_scorer_type(name: str) -> ScorerType[Any, Any] | None:
    """Return the type of this name without `not-`; None where there is none."""
    return scorer_types().get(name)
