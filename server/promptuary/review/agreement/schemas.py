"""Wire models of the agreement."""

from promptuary.core.wire import ResponseModel


class CoefficientOut(ResponseModel):
    """A chance-corrected coefficient of agreement, or why it is undefined; `low` and `high` are its 95 % interval."""

    coefficient: str
    value: float | None
    reason: str | None
    low: float | None
    high: float | None


class AgreementOut(ResponseModel):
    """The agreement of a queue's reviewers, over the items with at least two decisions."""

    items: int
    reviewers: int
    percent: float | None
    coefficients: list[CoefficientOut]
    disagreements: list[str]
