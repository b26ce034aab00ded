"""The rules of prompts and versions: what may be registered, which number it takes, what a lookup finds."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from promptuary.access import audit
from promptuary.access.role import Scope
from promptuary.access.store import lock_project
from promptuary.access.unit_of_work import UnitOfWork
from promptuary.core.clock import format_timestamp
from promptuary.core.errors import InvalidRequest, NotFound
from promptuary.core.paging import Page, build_page, decode_cursor
from promptuary.prompt.content import Content
from promptuary.prompt.digest import canonical_json, content_digest, content_json
from promptuary.prompt.split import Split
from promptuary.prompt.validation import validate_content
from promptuary.registry import composition, label_store, similarity, store
from promptuary.registry.as_of import prompt_at
from promptuary.registry.composition import ComposedContent, IncludeUpdate
from promptuary.registry.events import EventKind, PromptEvent
from promptuary.registry.label_store import LabelTarget
from promptuary.registry.labels import DEFAULT_LABEL, LATEST, Labels, require_not_archived, require_prompt, require_settable
from promptuary.registry.store import Include, Prompt, Version


@dataclass(frozen=True)
class Registration:
    """The version that holds the content, and whether this call made it."""

    version: Version
    created: bool


@dataclass(frozen=True)
class RegistrationPreview:
    """What registering would do: the digest, the number that the content has or would get, and whether it would be new."""

    content: Content
    digest: str
    number: int
    created: bool
    includes: tuple[Include, ...] = ()


@dataclass(frozen=True)
class LookupResult:
    """What a lookup found: the version, the label it was asked by with its split, and the prompt's revision."""

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
        self, name: str, content: Content, *, message: str = "", tags: tuple[str, ...] = (), labels: tuple[str, ...] = ()
    ) -> Registration:
        """Register a content as the prompt's next version, unless the newest version is the same; move the labels to it.

        Args:
            name: the prompt; made now if it is new.
            content: as its author wrote it; what it includes is resolved and pinned here.
            message: why the version exists.
            tags: what lists find it by.
            labels: which labels move to it.

        Raises:
            InvalidPrompt: when the content's parts do not fit each other, or what it includes cannot be included.
            InvalidRequest: for a label that cannot be set.
            Forbidden: when labels are given and the caller may not move them.
            Conflict: when the prompt is archived.
        """
        if labels:
            self.unit.caller.require(Scope.LABEL_MOVE)
            require_settable(labels)
        lock_project(self.unit.session, self.unit.caller.project)
        return self._register(name, composition.compose(self.unit, name, content), message, tags, labels)

    def renew(self, name: str, message: str = "") -> Registration:
        """Register the newest version again, with its includes resolved anew; changes nothing where they mean the same.

        Raises:
            NotFound: for an unknown prompt.
            InvalidPrompt: when an include leads nowhere by now.
        """
        lock_project(self.unit.session, self.unit.caller.project)
        newest = self.lookup(name, label=LATEST).version
        composed = composition.compose(self.unit, name, composition.authored_content(self.unit, newest))
        return self._register(name, composed, message, newest.tags, ())

    def _register(
        self, name: str, composed: ComposedContent, message: str, tags: tuple[str, ...], labels: tuple[str, ...]
    ) -> Registration:
        unit, now = self.unit, self.unit.clock()
        validate_content(composed.content, jinja2=self.unit.settings.jinja2)
        prompt = store.prompt(unit.session, unit.caller.project, name, lock=True)
        prompt = prompt or store.add_prompt(unit.session, unit.caller.project, name, now)
        require_not_archived(prompt)
        digest = content_digest(composed.content)
        made = None
        if store.newest_digest(unit.session, prompt) != digest:
            made = self._add_version(prompt, composed, digest, message, tags)
        number = made.number if made else prompt.newest
        for label in dict.fromkeys(labels):
            if prompt.labels.get(label) != number or label in prompt.splits:
                Labels(unit).point(prompt, label, LabelTarget(number), message or "registered with this label")
        if made is None:
            return Registration(self.version(name, number), created=False)
        return Registration(replace(made, labels=tuple(sorted(set(labels)))), created=True)

    def _add_version(
        self, prompt: Prompt, composed: ComposedContent, digest: str, message: str, tags: tuple[str, ...]
    ) -> Version:
        unit, now = self.unit, self.unit.clock()
        text = canonical_json(content_json(composed.content)).decode()
        made = store.add_version(unit.session, prompt, digest, text, message, tags, unit.caller.actor, now, composed.includes)
        detail = {"version": made.number, "digest": digest}
        audit.record_change(unit, EventKind.VERSION_CREATED, prompt.name, {**detail, "message": message})
        label_store.add_event(unit.session, unit.caller.project, prompt.id, EventKind.VERSION_CREATED, detail, now)
        similarity.enqueue_vector_update(unit, prompt.id)
        return made

    def preview(self, name: str, content: Content) -> RegistrationPreview:
        """Tell what registering a content would do; nothing is written.

        Raises:
            InvalidPrompt: as `register`.
        """
        composed = composition.compose(self.unit, name, content)
        validate_content(composed.content, jinja2=self.unit.settings.jinja2)
        digest = content_digest(composed.content)
        prompt = store.prompt(self.unit.session, self.unit.caller.project, name)
        newest = store.version(self.unit.session, prompt, prompt.newest) if prompt else None
        if newest is not None and newest.digest == digest:
            return RegistrationPreview(composed.content, digest, newest.number, created=False, includes=composed.includes)
        number = newest.number + 1 if newest else 1
        return RegistrationPreview(composed.content, digest, number, created=True, includes=composed.includes)

    def lookup(
        self,
        name: str,
        *,
        label: str | None = None,
        version: int | None = None,
        targeting_key: str | None = None,
        as_of: datetime | None = None,
    ) -> LookupResult:
        """Find the version that a label points at, or the one of that number; without either, the label `production`.

        Args:
            name: the prompt.
            label: a label, or `latest`.
            version: a version's number, instead of a label.
            targeting_key: whom the lookup is for: the same key stays in the same arm of a split label.
            as_of: answers as the lookup would have at this moment.

        Raises:
            InvalidRequest: when a label and a version are given, or a moment that is still to come.
            NotFound: saying whether the prompt, the label or the version is unknown, and what there is.
        """
        if label is not None and version is not None:
            raise InvalidRequest("give a label or a version, not both")
        prompt = require_prompt(self.unit, name)
        archived, then = prompt.archived_at is not None, ""
        if as_of is not None:
            if as_of > self.unit.clock():
                raise InvalidRequest("as_of is still to come; give a moment in the past")
            past = prompt_at(self.unit.session, prompt, as_of)
            prompt, archived, then = past.prompt, past.archived, f" at {format_timestamp(as_of)}"
        if version is not None:
            return LookupResult(self._version(prompt, version), None, prompt.revision)
        if archived:
            raise NotFound(f"the prompt '{name}' is archived; its versions are still found by their numbers")
        label = label or DEFAULT_LABEL
        if label in prompt.splits:
            split = prompt.splits[label]
            arm = split.arm(targeting_key)
            return LookupResult(self._version(prompt, arm.version), label, prompt.revision, split, arm.variant)
        number = prompt.newest if label == LATEST else prompt.labels.get(label)
        if number is None:
            known = ", ".join(prompt.labels) or "none"
            raise NotFound(f"the prompt '{name}' has no label '{label}'{then}; its labels are: {known}")
        return LookupResult(self._version(prompt, number), label, prompt.revision)

    def labelled(self, label: str, after: str | None, limit: int) -> list[LookupResult]:
        """Find what a lookup by a label finds, for each of the next prompts by name that have it; of a split the first arm."""
        prompts = store.prompts(self.unit.session, self.unit.caller.project, after, limit, label=label)
        versions = store.labelled(self.unit.session, prompts, label)
        arms = {prompt.id: prompt.splits[label].arms[0].variant for prompt in prompts if label in prompt.splits}
        return [
            LookupResult(versions[prompt.id], label, prompt.revision, prompt.splits.get(label), arms.get(prompt.id))
            for prompt in prompts
            if prompt.id in versions
        ]

    def version(self, name: str, number: int) -> Version:
        """Give one version.

        Raises:
            NotFound: when there is none.
        """
        return self._version(require_prompt(self.unit, name), number)

    def prompts(
        self,
        limit: int,
        cursor: str | None,
        search: str | None = None,
        label: str | None = None,
        tag: str | None = None,
        *,
        archived: bool = False,
    ) -> Page[Prompt]:
        """List prompts by name: those in use, or the archived ones."""
        rows = store.prompts(
            self.unit.session,
            self.unit.caller.project,
            decode_cursor(cursor, str),
            limit + 1,
            search=search,
            label=label,
            tag=tag,
            archived=archived,
        )
        return build_page(rows, limit, lambda prompt: prompt.name)

    def versions(self, name: str, limit: int, cursor: str | None) -> Page[Version]:
        """List a prompt's versions, the newest first."""
        rows = store.versions(self.unit.session, require_prompt(self.unit, name), decode_cursor(cursor, int), limit + 1)
        return build_page(rows, limit, lambda version: version.number)

    def events(self, name: str, limit: int, cursor: str | None, kinds: Sequence[EventKind] = ()) -> Page[PromptEvent]:
        """List what has happened to a prompt, the newest first; of certain kinds where they are given."""
        prompt = require_prompt(self.unit, name)
        rows = label_store.events_of(
            self.unit.session, prompt, decode_cursor(cursor, int), limit + 1, kinds or tuple(EventKind)
        )
        return build_page(rows, limit, lambda event: event.revision)

    def offers(self, name: str) -> list[IncludeUpdate]:
        """List what includes a prompt and is in use, each with the newer version that it could take."""
        return composition.include_updates(self.unit, name)

    def archive(self, name: str, reason: str) -> Prompt:
        """Hide a prompt: its labels no longer answer and lists leave it out; archiving it again changes nothing.

        Raises:
            NotFound: for an unknown prompt.
        """
        return self._set_archived(name, self.unit.clock(), EventKind.PROMPT_ARCHIVED, reason)

    def restore(self, name: str, reason: str) -> Prompt:
        """Bring an archived prompt back as it was.

        Raises:
            NotFound: for an unknown prompt.
        """
        return self._set_archived(name, None, EventKind.PROMPT_RESTORED, reason)

    def _set_archived(self, name: str, at: datetime | None, kind: EventKind, reason: str) -> Prompt:
        unit = self.unit
        lock_project(unit.session, unit.caller.project)
        prompt = require_prompt(unit, name, lock=True)
        if (prompt.archived_at is None) == (at is None):
            return prompt
        store.set_archived(unit.session, prompt, at)
        audit.record_change(unit, kind, name, {"reason": reason})
        label_store.add_event(unit.session, unit.caller.project, prompt.id, kind, {"reason": reason}, unit.clock())
        return require_prompt(unit, name)

    def _version(self, prompt: Prompt, number: int) -> Version:
        version = store.version(self.unit.session, prompt, number) if number <= prompt.newest else None
        if version is None:
            raise NotFound(f"the prompt '{prompt.name}' has no version {number}; its newest is {prompt.newest}")
        return version
