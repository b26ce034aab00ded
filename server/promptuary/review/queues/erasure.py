"""The erasure of outputs and rendered inputs from the review items that were made from results of a version."""

from collections.abc import Sequence

from promptuary.access.unit_of_work import UnitOfWork
from promptuary.registry.erasure.holder import ErasedVersion, HolderReport
from promptuary.review.queues import store


class ReviewErasure:
    """Empties review items; the decisions on them stay, with the reviewers' comments and corrections. Drafts go."""

    def erase(self, unit: UnitOfWork, versions: Sequence[ErasedVersion]) -> HolderReport:
        """Clear the items, and report how many there are and that comments and corrections are kept."""
        count = sum(
            store.erase_items(unit.session, unit.caller.project, version.prompt, version.number) for version in versions
        )
        remaining = ["reviewers' comments, texts and corrections are kept as they were written"] if count else []
        return HolderReport({"review_items": count}, remaining)
