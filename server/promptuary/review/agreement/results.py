"""What the figures of agreement are, as values."""

from dataclasses import dataclass

from promptuary.review.agreement.label import LabelDefinition


@dataclass(frozen=True)
class Coefficient:
    """A chance-corrected coefficient with its 95 % interval, or the reason why it is undefined.

    `low`, `high` and `method` are None where there is no interval; `units` counts the items with at least two labels.
    """

    coefficient: str
    value: float | None
    reason: str | None
    low: float | None
    high: float | None
    method: str | None
    units: int


@dataclass(frozen=True)
class Share:
    """A share of equal labels, from 0 to 1, with its 95 % interval over `items` items."""

    value: float
    low: float
    high: float
    items: int


@dataclass(frozen=True)
class PairAgreement:
    """The agreement of two reviewers, named by their identities, on the items that both labelled."""

    first: str
    second: str
    share: Share
    coefficient: Coefficient


@dataclass(frozen=True)
class AgainstGold:
    """The agreement of one reviewer with the known labels; `reviewer` is None for all reviewers together."""

    reviewer: str | None
    share: Share
    coefficient: Coefficient | None


@dataclass(frozen=True)
class OptionAgreement:
    """The agreement on one option of a label with several: `share` of the labels have it, from 0 to 1."""

    option: str
    share: float
    coefficients: tuple[Coefficient, ...]


@dataclass(frozen=True)
class LabelAgreement:
    """The figures of one label.

    Attributes:
        label: the primary decision or a field.
        items: how many items have such a label.
        pairable: how many have at least two, which alone can agree.
        labels: how many labels there are.
        omitted: how many labels are left out, because the current schema does not know their value.
        observed: the share of equal pairs of labels; None without pairs, for free text and for spans.
        coefficients: alpha at the label's level, and AC1.
        note: what a reader must know to read the coefficients; None where nothing is unusual.
        options: for a label with several options, each as a label of its own.
        pairs: each two reviewers, those with the most items first.
        pairs_omitted: how many pairs of reviewers beyond the limit are left out.
        gold: reviewers against known labels.
    """

    label: LabelDefinition
    items: int
    pairable: int
    labels: int
    omitted: int
    observed: Share | None
    coefficients: tuple[Coefficient, ...]
    note: str | None
    options: tuple[OptionAgreement, ...]
    pairs: tuple[PairAgreement, ...]
    pairs_omitted: int
    gold: tuple[AgainstGold, ...]


@dataclass(frozen=True)
class QueueAgreement:
    """The agreement of a queue's reviewers.

    Attributes:
        items: how many items have at least two decisions.
        reviewers: how many people decided.
        finished_only: whether the figures cover only finished items, which is what a reviewer may see.
        schema_numbers: the numbers of the label schemas under which the decisions were made.
        labels: the primary decision first, then each field.
        disagreements: the sources of the items on which labels differ, in the order of the queue; their ids where
            `finished_only`, since a source names the run's result, which has all that is withheld.
        names: the names that people see, by identity.
    """

    items: int
    reviewers: int
    finished_only: bool
    schema_numbers: tuple[int, ...]
    labels: tuple[LabelAgreement, ...]
    disagreements: tuple[str, ...]
    names: dict[str, str]
