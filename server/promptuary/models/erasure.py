"""The erasure of cached responses of models: their keys are digests, so it is not known which were rendered from a version."""

from collections.abc import Sequence
from datetime import timedelta

from promptuary.access.unit_of_work import UnitOfWork
from promptuary.models.calls import store
from promptuary.registry.erasure.holder import ErasedVersion, HolderReport


class ResponseCacheErasure:
    """Empties the project's response cache."""

    def erase(self, unit: UnitOfWork, versions: Sequence[ErasedVersion]) -> HolderReport:
        """Delete every cached response of the project, and report how many there were."""
        before = unit.clock() + timedelta(days=1)
        return HolderReport({"cached_responses": store.delete_responses(unit.session, unit.caller.project, before)})
