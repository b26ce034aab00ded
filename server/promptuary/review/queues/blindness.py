"""What a reviewer does not see before their own decision, and what a queue shows of it after."""

from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import Any


class Withheld(StrEnum):
    """A part that is withheld from a reviewer until their own decision counts."""

    LABELS = "labels"  # the decisions of others
    VERDICT = "verdict"  # whether the result passed
    SCORES = "scores"  # the scorers' figures and reasons, a judge's too
    MODEL = "model"  # the model that wrote the output
    VERSION = "version"  # the version, the variant, and the messages, by which it can be recognized


PAYLOAD_FIELDS: Mapping[Withheld, frozenset[str]] = {
    Withheld.LABELS: frozenset({"labels"}),
    Withheld.VERDICT: frozenset({"passed", "verdict"}),
    Withheld.SCORES: frozenset({"scores", "judge"}),
    Withheld.MODEL: frozenset({"model"}),
    Withheld.VERSION: frozenset({"version", "variant", "digest", "messages"}),
}
"""The fields of an item's payload, at its top and in the sides of a pair, that belong to each part."""


def withhold(payload: Mapping[str, Any], revealed: Collection[str] = ()) -> dict[str, Any]:
    """Return a payload without the fields of the parts that are not revealed."""
    hidden = frozenset().union(*(fields for part, fields in PAYLOAD_FIELDS.items() if part not in revealed))
    return {name: value for name, value in payload.items() if name not in hidden}


def withhold_side(side: Mapping[str, Any], revealed: Collection[str] = ()) -> dict[str, Any]:
    """Return one output of a pair without the fields of the parts that are not revealed.

    The passages belong to the version here: where only one version retrieves any, they show which side it is.
    """
    visible = withhold(side, revealed)
    if Withheld.VERSION not in revealed:
        visible.pop("passages", None)
    return visible


def reveal(payload: Mapping[str, Any], revealed: Collection[str]) -> dict[str, Any]:
    """Return the fields of a payload that the queue shows after the reviewer's own decision."""
    names = frozenset().union(*(fields for part, fields in PAYLOAD_FIELDS.items() if part in revealed))
    return {name: value for name, value in payload.items() if name in names}


def may_show_source(payload: Mapping[str, Any], revealed: Collection[str] = ()) -> bool:
    """Return whether an item's source may be shown: it names the run's result, which has all that is withheld."""
    return withhold(payload, revealed) == dict(payload) or set(Withheld) - {Withheld.LABELS} <= set(revealed)
