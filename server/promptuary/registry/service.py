"""The rules of prompts and versions: registration, lookup, lists, and archival."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from promptuary.access import audit
from promptuary.access.role import Scope
from promptuary.access.store import lock_project
from promptuary.access.unit_of_work import UnitOfWork
from promptuary.core.clock import format_timestamp
from promptuary.core.errors import Conflict, InvalidRequest, NotFound
from promptuary.core.paging import Page, build_page, decode_cursor
from promptuary.prompt.content import Content
from promptuary.prompt.digest import EncodedContent, encode_content
from promptuary.prompt.name import DEFAULT_LABEL, LATEST
from promptuary.prompt.registration.validation import validate_content
from promptuary.prompt.split import Split
from promptuary.registry import composition, similarity, store, version_store
from promptuary.registry.as_of import PromptAsOf, prompt_at
from promptuary.registry.composition import ComposedContent, IncludeUpdate
from promptuary.registry.events import event_store
from promptuary.registry.events.event import EventKind, PromptEvent
from promptuary.registry.events.recording import record_event
from promptuary.registry.given_names import claim_given_name
from promptuary.registry.label_store import LabelTarget
from promptuary.registry.labels import Labels, require_not_archived, require_prompt, require_settable
from promptuary.registry.store import PromptFilter, PromptRecord
from promptuary.registry.tags import replace_prompt_tags, replace_version_tags
from promptuary.registry.text_search.listing_store import ListPosition
from promptuary.registry.version_store import Include, Version, VersionRecord, refuse_erased


@dataclass(frozen=True)
class Registration:
    """The version with the content, and whether this call created it."""

    version: Version
    created: bool


@dataclass(frozen=True)
class RegistrationDetails:
    """The parts of a registration besides the content.

    Attributes:
        message: why the version exists.
        tags: of the version; None keeps those of a version that has the content already.
        labels: which labels move to the version.
        given_name: the prompt's name in another registry; it is stored with a new version where the prompt has none.
        each_is_new: whether each call makes a version, as in the registries whose SDKs call; else the same content makes none.
        prompt_tags: with `each_is_new`, the prompt's own tags from now on; None keeps those that it has.
    """

    message: str = ""
    tags: tuple[str, ...] | None = None
    labels: tuple[str, ...] = ()
    given_name: str | None = None
    each_is_new: bool = False
    prompt_tags: tuple[str, ...] | None = None


@dataclass(frozen=True)
class RegistrationPreview:
    """What a registration would do: the number that the content has or would get, and whether it would be new."""

    content: EncodedContent
    number: int
    created: bool
    includes: tuple[Include, ...] = ()


@dataclass(frozen=True)
class LookupResult:
    """The result of a lookup: the version, the label that selected it with its split, and the prompt's revision."""

    version: Version
    label: str | None
    revision: int
    split: Split | None = None
    variant: str | None = None


@dataclass(frozen=True)
class Registry:
    """Prompts and versions, on behalf of a caller."""

    unit: UnitOfWork

    def register(
        self,
        name: str,
        content: Content,
        *,
        message: str = "",
        tags: tuple[str, ...] | None = None,
        labels: tuple[str, ...] = (),
    ) -> Registration:
        """Register a content as the prompt's next version, unless the newest version has it; move the labels to it.

        Args:
            name: the prompt; a new one is created.
            content: the author's content; what it includes is resolved and pinned.
            message: why the version exists.
            tags: by which lists select it. They replace those of a version that has the content already, unless they are None.
            labels: which labels move to it.

        Raises:
            InvalidPrompt: when the content is invalid, or includes what cannot be included.
            InvalidRequest: for a label that cannot be set.
            Forbidden: for labels of a caller who may not move them.
            Conflict: when the prompt is archived.
        """
        return self.create(name, content, RegistrationDetails(message, tags, labels))

    def create(self, name: str, content: Content, details: RegistrationDetails) -> Registration:
        """Register a content as `register` does; with `each_is_new`, always as a new version.

        Raises:
            Conflict: as `register`, and when the prompt was created under another given name.
            InvalidPrompt, InvalidRequest, Forbidden: as `register`.
        """
        if details.labels:
            self.unit.caller.require(Scope.LABEL_MOVE)
            require_settable(details.labels)
        lock_project(self.unit.session, self.unit.caller.project)
        return self._register(name, composition.compose(self.unit, name, content), details)

    def renew(self, name: str, message: str = "") -> Registration:
        """Register the newest version with its includes resolved again; unchanged includes make no new version.

        Raises:
            NotFound: for an unknown prompt.
            InvalidPrompt: when an include means no version any more.
        """
        lock_project(self.unit.session, self.unit.caller.project)
        newest = self.lookup(name, label=LATEST).version
        composed = composition.compose(self.unit, name, composition.authored_content(self.unit, newest))
        return self._register(name, composed, RegistrationDetails(message, newest.tags))

    def _register(self, name: str, composed: ComposedContent, details: RegistrationDetails) -> Registration:
        unit = self.unit
        self._validate(composed.content)
        content = encode_content(composed.content)
        prompt = store.find_prompt(unit.session, unit.caller.project, name, lock=True)
        prompt = prompt or store.add_prompt(unit.session, unit.caller.project, name, unit.clock())
        require_not_archived(prompt)
        is_new = details.each_is_new or version_store.newest_digest(unit.session, prompt) != content.digest
        if details.given_name is not None and is_new:
            prompt = claim_given_name(unit, prompt, details.given_name)
        first_own_tags: Sequence[str] | None = None
        if details.each_is_new:
            prompt_tags = prompt.prompt_tags if details.prompt_tags is None else details.prompt_tags
            had_own_tags = prompt.own_tags is not None
            prompt = replace_prompt_tags(unit, prompt, prompt_tags, with_version=True)
            first_own_tags = None if had_own_tags else prompt.own_tags
        version = None
        if is_new:
            record = VersionRecord(
                content, details.message, details.tags or (), unit.caller.identity, unit.clock(), composed.includes
            )
            version = self._add_version(prompt, record, first_own_tags)
        elif details.tags is not None:
            replace_version_tags(unit, prompt, self._version(prompt, prompt.newest), details.tags)
        number = version.number if version else prompt.newest
        for label in dict.fromkeys(details.labels):
            if prompt.labels.get(label) != number or label in prompt.splits:
                Labels(unit).point(prompt, label, LabelTarget(number), details.message or "registered with this label")
        if version is None:
            return Registration(self.version(name, number), created=False)
        return Registration(replace(version, labels=tuple(sorted(set(details.labels)))), created=True)

    def _validate(self, content: Content) -> None:
        settings = self.unit.settings
        validate_content(content, jinja2=settings.jinja2, config_limit=settings.config_limit)

    def _add_version(self, prompt: PromptRecord, record: VersionRecord, first_own_tags: Sequence[str] | None) -> Version:
        """Store a version with its event and audit entry, and enqueue the update of the prompt's vector.

        The event has the prompt's first own tags, if it gets them now.
        """
        unit = self.unit
        version = version_store.add_version(unit.session, prompt, record)
        detail = {"version": version.number, "digest": version.digest}
        audit.record_change(unit, EventKind.VERSION_CREATED, prompt.name, {**detail, "message": record.message})
        own_tags = {} if first_own_tags is None else {"prompt_tags": list(first_own_tags)}
        record_event(unit, prompt, EventKind.VERSION_CREATED, {**detail, **own_tags})
        similarity.enqueue_vector_update(unit, prompt.id)
        return version

    def preview(self, name: str, content: Content) -> RegistrationPreview:
        """Return what a registration of a content would do; nothing is written.

        Raises:
            InvalidPrompt: as `register`.
        """
        composed = composition.compose(self.unit, name, content)
        self._validate(composed.content)
        encoded = encode_content(composed.content)
        prompt = store.find_prompt(self.unit.session, self.unit.caller.project, name)
        newest = version_store.find_version(self.unit.session, prompt, prompt.newest) if prompt else None
        if newest is not None and newest.erased_at is None and newest.digest == encoded.digest:
            return RegistrationPreview(encoded, newest.number, created=False, includes=composed.includes)
        return RegistrationPreview(encoded, newest.number + 1 if newest else 1, created=True, includes=composed.includes)

    def lookup(
        self,
        name: str,
        *,
        label: str | None = None,
        version: int | None = None,
        targeting_key: str | None = None,
        as_of: datetime | None = None,
    ) -> LookupResult:
        """Look up a version by label or by number; without either, by the label `production`.

        Args:
            name: the prompt.
            label: a label, or `latest`.
            version: the number of a version, instead of a label.
            targeting_key: the same key always gets the same arm of a split label.
            as_of: a time in the past, whose result is returned.

        Raises:
            InvalidRequest: for a label together with a version, or a time in the future.
            NotFound: naming the unknown prompt, label or version, and the known ones.
            Erased: when the content of the version was erased.
        """
        if label is not None and version is not None:
            raise InvalidRequest("send a label or a version, not both")
        prompt = require_prompt(self.unit, name)
        archived, time, past = prompt.archived_at is not None, "", None
        if as_of is not None:
            if as_of > self.unit.clock():
                raise InvalidRequest("as_of is in the future; send a time in the past")
            past = prompt_at(self.unit.session, prompt, as_of)
            prompt, archived, time = past.prompt, past.archived, f" at {format_timestamp(as_of)}"
        if version is not None:
            return LookupResult(self._version(prompt, version, past), None, prompt.revision)
        if archived:
            raise NotFound(f"the prompt '{name}' is archived; look its versions up by number")
        label = label or DEFAULT_LABEL
        if label in prompt.splits:
            split = prompt.splits[label]
            arm = split.arm(targeting_key)
            return LookupResult(self._version(prompt, arm.version, past), label, prompt.revision, split, arm.variant)
        number = prompt.newest if label == LATEST else prompt.labels.get(label)
        if number is None:
            labels = ", ".join(prompt.labels) or "none"
            raise NotFound(f"the prompt '{name}' has no label '{label}'{time}; its labels are: {labels}")
        return LookupResult(self._version(prompt, number, past), label, prompt.revision)

    def labelled(self, label: str, after: str | None, limit: int) -> list[LookupResult]:
        """Return the results of a lookup by a label for a page of the prompts that have it; of a split, the first arm."""
        position = None if after is None else ListPosition(0, after)
        prompts = store.list_prompts(self.unit.session, self.unit.caller.project, PromptFilter(label=label), position, limit)
        return self.results_by_label(prompts, label)

    def labelled_names(self, label: str, names: Collection[str]) -> list[LookupResult]:
        """Return the results of a lookup by a label for those of some names that have it; of a split, the first arm."""
        prompts = store.prompts_by_name(self.unit.session, self.unit.caller.project, names)
        return self.results_by_label(prompts, label)

    def results_by_label(self, prompts: Sequence[PromptRecord], label: str) -> list[LookupResult]:
        """Return the results of a lookup by a label, or by `latest`, for those of some active prompts that have it."""
        session = self.unit.session
        if label == LATEST:
            numbers = {prompt.id: prompt.newest for prompt in prompts}
            versions = version_store.versions_by_prompt(session, self.unit.caller.project, numbers)
        else:
            versions = version_store.labelled_versions(session, prompts, label)
        arms = {prompt.id: prompt.splits[label].arms[0].variant for prompt in prompts if label in prompt.splits}
        return [
            LookupResult(versions[prompt.id], label, prompt.revision, prompt.splits.get(label), arms.get(prompt.id))
            for prompt in prompts
            if prompt.id in versions
        ]

    def version(self, name: str, number: int) -> Version:
        """Return one version.

        Raises:
            NotFound: when there is none.
            Erased: when its content was erased.
        """
        return self._version(require_prompt(self.unit, name), number)

    def stored_version(self, name: str, number: int) -> Version:
        """Return one version, perhaps an erased one, which has no content.

        Raises:
            NotFound: when there is none.
        """
        prompt = require_prompt(self.unit, name)
        version = version_store.find_version(self.unit.session, prompt, number)
        if version is None:
            raise NotFound(f"the prompt '{prompt.name}' has no version {number}; its newest is {prompt.newest}")
        return version

    def version_by_digest(self, name: str, prefix: str) -> Version:
        """Return the newest version whose digest begins with some hexadecimal digits.

        Raises:
            NotFound: when there is none.
            Conflict: when several contents have such a digest.
        """
        prompt = require_prompt(self.unit, name)
        numbers = version_store.numbers_by_digest(self.unit.session, prompt, f"sha256:{prefix}")
        if not numbers:
            raise NotFound(f"the prompt '{prompt.name}' has no version with a digest that begins with {prefix}")
        if len(numbers) > 1:
            raise Conflict(f"several versions of '{prompt.name}' have a digest that begins with {prefix}; send more of it")
        return self._version(prompt, next(iter(numbers.values())))

    def prompts(self, limit: int, cursor: str | None, conditions: PromptFilter = PromptFilter()) -> Page[PromptRecord]:  # noqa: B008 (frozen)
        """Return a page of prompts, ordered by name; with a search, the best matches first."""
        key, search = decode_cursor(cursor, str), conditions.search
        after = None if key is None else ListPosition.from_key(key, search)
        rows = store.list_prompts(self.unit.session, self.unit.caller.project, conditions, after, limit + 1)
        return build_page(rows, limit, lambda prompt: ListPosition.of(prompt.name, search).key(search))

    def versions(self, name: str, limit: int, cursor: str | None) -> Page[Version]:
        """Return a page of a prompt's versions, the newest first; those that were erased are among them."""
        prompt = require_prompt(self.unit, name)
        rows = version_store.list_versions(self.unit.session, prompt, decode_cursor(cursor, int), limit + 1)
        return build_page(rows, limit, lambda version: version.number)

    def events(self, name: str, limit: int, cursor: str | None, kinds: Sequence[EventKind] = ()) -> Page[PromptEvent]:
        """Return a page of a prompt's events, the newest first; without kinds, events of all kinds."""
        prompt = require_prompt(self.unit, name)
        before = decode_cursor(cursor, int)
        rows = event_store.events_of(self.unit.session, prompt, before, limit + 1, kinds or tuple(EventKind))
        return build_page(rows, limit, lambda event: event.revision)

    def include_updates(self, name: str) -> list[IncludeUpdate]:
        """Return the versions in use that include a prompt, each with the newer version that it could take."""
        return composition.include_updates(self.unit, name)

    def archive(self, name: str, reason: str) -> PromptRecord:
        """Archive a prompt: lookups by label do not find it, and lists leave it out. To archive it again changes nothing.

        Raises:
            NotFound: for an unknown prompt.
        """
        return self._set_archived(name, self.unit.clock(), EventKind.PROMPT_ARCHIVED, reason)

    def restore(self, name: str, reason: str) -> PromptRecord:
        """Restore an archived prompt, unchanged.

        Raises:
            NotFound: for an unknown prompt.
        """
        return self._set_archived(name, None, EventKind.PROMPT_RESTORED, reason)

    def _set_archived(self, name: str, at: datetime | None, kind: EventKind, reason: str) -> PromptRecord:
        unit = self.unit
        lock_project(unit.session, unit.caller.project)
        prompt = require_prompt(unit, name, lock=True)
        if (prompt.archived_at is None) == (at is None):
            return prompt
        store.set_archived(unit.session, prompt, at)
        audit.record_change(unit, kind, name, {"reason": reason})
        record_event(unit, prompt, kind, {"reason": reason})
        return require_prompt(unit, name)

    def _version(self, prompt: PromptRecord, number: int, past: PromptAsOf | None = None) -> Version:
        """Return a version with its tags of today, or of a time in the past."""
        version = version_store.find_version(self.unit.session, prompt, number) if number <= prompt.newest else None
        if version is None:
            raise NotFound(f"the prompt '{prompt.name}' has no version {number}; its newest is {prompt.newest}")
        refuse_erased(version)
        return version if past is None else past.version_as_of(self.unit.session, version)
