"""The erasure of a version from the search for prompts."""

from collections.abc import Sequence

from promptuary.access.unit_of_work import UnitOfWork
from promptuary.registry.erasure.holder import ErasedVersion, HolderReport
from promptuary.search import store


class SearchErasure:
    """Deletes the vectors that were computed from erased versions; the worker replaces those in Chroma."""

    def erase(self, unit: UnitOfWork, versions: Sequence[ErasedVersion]) -> HolderReport:
        """Delete the vectors, and report how many there were."""
        count = sum(store.delete_vectors(unit.session, version.prompt_id, version.number) for version in versions)
        return HolderReport({"vectors": count})
