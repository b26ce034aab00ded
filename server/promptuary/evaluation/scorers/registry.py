"""Every type of scorer there is: the families of this folder, and those of installed plug-ins."""

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING

from promptuary.evaluation.scorers import (
    best,
    code,
    graded,
    html_output,
    json_output,
    measure,
    overlap,
    rag,
    refusal,
    retrieval,
    rubric,
    sets,
    similar,
    sql_output,
    text,
    tools,
    webhook,
    xml_output,
)
from promptuary.evaluation.scorers.kind import Kind, ScorerParts
from promptuary.evaluation.scorers.plugins import plugins
from promptuary.evaluation.scorers.score import Scorer

if TYPE_CHECKING:
    from promptuary.evaluation.scorers.spec import ScorerSpec

FAMILIES: tuple[Mapping[str, Kind], ...] = (
    text.KINDS,
    json_output.KINDS,
    xml_output.KINDS,
    html_output.KINDS,
    sql_output.KINDS,
    overlap.KINDS,
    measure.KINDS,
    refusal.KINDS,
    tools.KINDS,
    retrieval.KINDS,
    similar.KINDS,
    rubric.KINDS,
    graded.KINDS,
    rag.KINDS,
    best.KINDS,
    code.KINDS,
    webhook.KINDS,
    sets.KINDS,
)


@cache
def kinds() -> Mapping[str, Kind]:
    """Give every type by its name, without `not-`.

    Raises:
        BrokenPlugin: for an installed plug-in that cannot be used.
    """
    own = {name: kind for family in FAMILIES for name, kind in family.items()}
    return own | plugins(own)


def kind_of(name: str) -> Kind | None:
    """Find a type by its name without `not-`."""
    return kinds().get(name)


def build(spec: "ScorerSpec", parts: ScorerParts) -> Scorer:
    """Make the scorer that a suite asks for; its templates, pattern and schema are parsed once, here.

    Raises:
        Invalid: for a value that a checked suite cannot have, or for code and addresses that are not allowed here.
    """
    return kinds()[spec.kind].build(spec, parts)
