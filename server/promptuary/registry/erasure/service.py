"""The rules of an erasure; see `docs/erasing.md`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from promptuary.access import audit
from promptuary.access import store as access_store
from promptuary.access.contents import ContentReference
from promptuary.access.store import lock_project
from promptuary.access.unit_of_work import UnitOfWork
from promptuary.core.clock import format_timestamp
from promptuary.core.errors import Conflict, NotFound
from promptuary.registry import similarity, version_store
from promptuary.registry.erasure.holder import ContentHolder, ErasedVersion, HolderReport
from promptuary.registry.events.event import EventKind
from promptuary.registry.events.recording import record_event
from promptuary.registry.labels import require_prompt
from promptuary.registry.store import PromptRecord
from promptuary.registry.text_search import word_store
from promptuary.registry.version_store import Version


@dataclass(frozen=True)
class ErasureRequest:
    """What is to be erased and why, and what the caller accepts with it.

    Attributes:
        name: the prompt.
        number: the version.
        reason: why; stored in the audit chain.
        labelled: whether a version that labels point at is erased, too; lookups by them are refused from then on.
        including: whether the versions that include it are erased, too; their content contains its text.
    """

    name: str
    number: int
    reason: str
    labelled: bool = False
    including: bool = False


@dataclass(frozen=True)
class Erasure:
    """What was erased, what was removed with it, and what still contains the content.

    Attributes:
        versions: the version and those that include it.
        labels: the labels that point at them, as `prompt/label`; lookups by these are refused.
        removed: numbers by the name of the thing.
        same_content: other versions of the project with the same digest, as `prompt@number`; they are not erased.
        remaining: sentences on what this service cannot erase.
    """

    versions: tuple[ErasedVersion, ...]
    labels: tuple[str, ...]
    removed: Mapping[str, int]
    same_content: tuple[str, ...]
    remaining: tuple[str, ...]


@dataclass(frozen=True)
class VersionErasure:
    """Erases versions, on behalf of an operator; `holders` are the parts of the service above the registry."""

    unit: UnitOfWork
    holders: Sequence[ContentHolder]

    def erase(self, request: ErasureRequest) -> Erasure:
        """Erase a version's content everywhere in this database; its number, digest, labels, history and audit entries stay.

        To erase it again changes nothing but what has been stored in the meantime.

        Raises:
            NotFound: for an unknown prompt or version.
            Conflict: when labels point at it or versions include it, and the request does not accept that.
        """
        unit = self.unit
        lock_project(unit.session, unit.caller.project)
        prompt = require_prompt(unit, request.name, lock=True)
        version = version_store.find_stored_version(unit.session, prompt, request.number)
        if version is None:
            raise NotFound(f"the prompt '{prompt.name}' has no version {request.number}; its newest is {prompt.newest}")
        including = self._including(version)
        selected = [(prompt, version), *including]
        if not request.including and any(other.erased_at is None for _, other in including):
            names = ", ".join(f"{other.prompt}@{other.number}" for _, other in including if other.erased_at is None)
            raise Conflict(f"{names} include version {version.number} of '{prompt.name}', and contain its text: {_INCLUDING}")
        labels = tuple(f"{other.prompt}/{label}" for _, other in selected if other.erased_at is None for label in other.labels)
        if labels and not request.labelled:
            raise Conflict(f"the labels {', '.join(labels)} point at what would be erased: {_LABELLED}")
        erased = tuple(self._erase(owner, other, request.reason) for owner, other in selected)
        word_store.purge_index(unit.session)
        reports = [self._erase_responses(erased), *(holder.erase(unit, erased) for holder in self.holders)]
        return Erasure(
            versions=erased,
            labels=tuple(f"{other.prompt}/{label}" for _, other in selected for label in other.labels),
            removed={name: count for report in reports for name, count in report.removed.items()},
            same_content=tuple(
                version_store.versions_with_digests(unit.session, unit.caller.project, [version.digest for version in erased])
            ),
            remaining=tuple(sentence for report in reports for sentence in report.remaining),
        )

    def _including(self, version: Version) -> list[tuple[PromptRecord, Version]]:
        """Return the versions that include a version, directly or through others, each once."""
        session, project = self.unit.session, self.unit.caller.project
        known: dict[int, tuple[PromptRecord, Version]] = {}
        level = [version.id]
        while level:
            pairs = [pair for pair in version_store.including_versions(session, project, level) if pair[1].id not in known]
            known |= {other.id: (prompt, other) for prompt, other in pairs}
            level = [other.id for _, other in pairs]
        return list(known.values())

    def _erase(self, prompt: PromptRecord, version: Version, reason: str) -> ErasedVersion:
        """Clear the row of a version, with an event and an audit entry; one that is erased already stays as it is."""
        unit = self.unit
        if version.erased_at is not None:
            return _erased(prompt, version, version.erased_at)
        at = unit.clock()
        version_store.erase_version(unit.session, version.id, at)
        detail = {"version": version.number, "digest": version.digest}
        audit.record_change(unit, EventKind.VERSION_ERASED, prompt.name, {**detail, "reason": reason})
        record_event(unit, prompt, EventKind.VERSION_ERASED, detail)
        if version.number == prompt.newest:
            word_store.forget_words(unit.session, prompt.id, prompt.name)
        similarity.enqueue_vector_update(unit, prompt.id)
        return _erased(prompt, version, at)

    def _erase_responses(self, versions: Sequence[ErasedVersion]) -> HolderReport:
        """Replace the responses that are stored for retries and can contain the content.

        Releases before 0.4.0 did not record what their responses contain. Those since the version's creation go, too.
        """
        session, project, count = self.unit.session, self.unit.caller.project, 0
        for version in versions:
            body = GONE_BODY % (version.number, version.prompt, format_timestamp(version.erased_at))
            content = ContentReference(version.prompt, version.number)
            count += access_store.replace_responses(session, project, content, 410, body)
            since = min(version.created_at, version.erased_at)
            count += access_store.replace_unknown_responses(session, project, since, 410, body)
        return HolderReport({"stored_responses": count})


GONE_BODY = (
    '{"type": "urn:promptuary:problem:erased", "title": "Gone", "status": 410, "code": "erased", '
    '"detail": "version %d of \'%s\' was erased at %s"}'
)
_INCLUDING = "send `including: true` (`--including`) to erase them, too"
_LABELLED = "move them first, or send `labelled: true` (`--labelled`), and lookups by them are refused from then on"


def _erased(prompt: PromptRecord, version: Version, at: datetime) -> ErasedVersion:
    return ErasedVersion(prompt.id, prompt.name, version.number, version.digest, version.created_at, at)
