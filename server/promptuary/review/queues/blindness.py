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
"""The fields of an item's payload that belong to each part."""
SIDE_FIELDS = {**PAYLOAD_FIELDS, Withheld.VERSION: PAYLOAD_FIELDS[Withheld.VERSION] | {"passages"}}
"""Those of a side of a pair: where only one version retrieves passages, they show which side it is."""


def withhold(payload: Mapping[str, Any], revealed: Collection[str] = ()) -> dict[str, Any]:
    """Return a payload without the fields of the parts that are not revealed."""
    return _without_hidden(payload, PAYLOAD_FIELDS, revealed)


def withhold_side(side: Mapping[str, Any], revealed: Collection[str] = ()) -> dict[str, Any]:
    """Return one output of a pair without the fields of the parts that are not revealed."""
    return _without_hidden(side, SIDE_FIELDS, revealed)


def reveal(payload: Mapping[str, Any], revealed: Collection[str]) -> dict[str, Any]:
    """Return the fields of a payload that the queue shows after the reviewer's own decision."""
    names = frozenset().union(*(fields for part, fields in PAYLOAD_FIELDS.items() if part in revealed))
    return {name: value for name, value in payload.items() if name in names}


def may_show_source(payload: Mapping[str, Any], revealed: Collection[str] = ()) -> bool:
    """Return whether an item's source may be shown: it names the run's result, which has all that is withheld."""
    return withhold(payload, revealed) == dict(payload) or set(Withheld) - {Withheld.LABELS} <= set(revealed)


def _without_hidden(
    payload: Mapping[str, Any], fields_of: Mapping[Withheld, frozenset[str]], revealed: Collection[str]
) -> dict[str, Any]:
    hidden = frozenset().union(*(fields for part, fields in fields_of.items() if part not in revealed))
    return {name: value for name, value in payload.items() if name not in hidden}
