"""Every type of scorer there is: the families of this folder, and those of installed plug-ins."""

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING

from promptuary.evaluation.scorers import assert_set, measurements, retrieval, tool_calls
from promptuary.evaluation.scorers.code import python_code, webhook
from promptuary.evaluation.scorers.judge import graded, rag, rubric, select_best
from promptuary.evaluation.scorers.markup import html_output, json_output, sql_output, xml_output
from promptuary.evaluation.scorers.plugins import load_plugins
from promptuary.evaluation.scorers.score import Scorer
from promptuary.evaluation.scorers.scorer_type import ScorerDependencies, ScorerType
from promptuary.evaluation.scorers.text import comparison, overlap, refusal, similar

if TYPE_CHECKING:
    from promptuary.evaluation.scorers.spec import ScorerSpec

FAMILIES: tuple[Mapping[str, ScorerType], ...] = (
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
    webhook.SCORER_TYPES,
    assert_set.SCORER_TYPES,
)


@cache
def scorer_types() -> Mapping[str, ScorerType]:
    """Give every type by its name, without `not-`.

    Raises:
        BrokenPlugin: for an installed plug-in that cannot be used.
    """
    own = {name: kind for family in FAMILIES for name, kind in family.items()}
    return own | load_plugins(own)


def find_scorer_type(name: str) -> ScorerType | None:
    """Find a type by its name without `not-`."""
    return scorer_types().get(name)


def build_scorer(spec: "ScorerSpec", parts: ScorerDependencies) -> Scorer:
    """Make the scorer that a suite asks for; its templates, pattern and schema are parsed once, here.

    Raises:
        Invalid: for a value that a checked suite cannot have, or for code and addresses that are not allowed here.
    """
    return scorer_types()[spec.kind].build(spec, parts)
