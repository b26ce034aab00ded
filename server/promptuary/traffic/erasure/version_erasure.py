"""The erasure of a version's text from the calls that used it: their messages contain the template."""

from collections.abc import Sequence

from promptuary.access.unit_of_work import UnitOfWork
from promptuary.registry.erasure.holder import ErasedVersion, HolderReport
from promptuary.traffic.erasure import store


class TrafficErasure:
    """Removes the contents of a version's calls and the texts of its feedback; counters and scores stay."""

    def erase(self, unit: UnitOfWork, versions: Sequence[ErasedVersion]) -> HolderReport:
        """Clear calls and feedback, and calls that wait for the name of their version.

        Calls that name no version may have been rendered with any; what is stored of them is cleared, too.
        """
        session, project = unit.session, unit.caller.project
        cleared = [store.clear_version(session, project, version.prompt_id, version.number) for version in versions]
        unattributed = store.clear_unattributed(session, project)
        calls = sum(count for count, _ in cleared) + unattributed
        return HolderReport({"sampled_calls": calls, "feedback_texts": sum(count for _, count in cleared)})
