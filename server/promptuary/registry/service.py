"""The rules of prompts and versions: what may be registered, which number it takes, what a lookup finds."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from promptuary.access import audit
from promptuary.access.caller import Unit
from promptuary.access.role import Scope
from promptuary.access.store import hold
from promptuary.base.clock import in_utc
from promptuary.base.errors import InvalidRequest, NotFound
from promptuary.base.paging import Page, decode, page
from promptuary.prompt.check import check
from promptuary.prompt.content import Content
from promptuary.prompt.digest import canonical, content_digest, content_json
from promptuary.prompt.split import Split
from promptuary.registry import composition, ledger, resemblance, store
from promptuary.registry.composition import Composed, Offer
from promptuary.registry.event import Event, Kind
from promptuary.registry.labels import DEFAULT_LABEL, LATEST, Labels, existing, refuse_archived, settable
from promptuary.registry.ledger import Target
from promptuary.registry.past import prompt_at
from promptuary.registry.store import Include, Prompt, Version


@dataclass(frozen=True)
class Registered:
    """The version that holds the content, and whether this call made it."""

    version: Version
    created: bool


@dataclass(frozen=True)
class Preview:
    """What registering would do: the digest, the number that the content has or would get, and whether it would be new."""

    content: Content
    digest: str
    number: int
    created: bool
    includes: tuple[Include, ...] = ()


@dataclass(frozen=True)
class Found:
    """What a lookup found: the version, the label it was asked by with its split, and the prompt's revision."""

    version: Version
    label: str | None
    revision: int
    split: Split | None = None
    variant: str | None = None


@dataclass(frozen=True)
class Registry:
    """Prompts and versions, on behalf of a caller."""

    unit: Unit

    def register(
        self, name: str, content: Content, *, message: str = "", tags: tuple[str, ...] = (), labels: tuple[str, ...] = ()
    ) -> Registered:
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
            settable(labels)
        hold(self.unit.session, self.unit.caller.project)
        return self._register(name, composition.compose(self.unit, name, content), message, tags, labels)

    def renew(self, name: str, message: str = "") -> Registered:
        """Register the newest version again, with its includes resolved anew; changes nothing where they mean the same.

        Raises:
            NotFound: for an unknown prompt.
            InvalidPrompt: when an include leads nowhere by now.
        """
        hold(self.unit.session, self.unit.caller.project)
        newest = self.lookup(name, label=LATEST).version
        composed = composition.compose(self.unit, name, composition.as_written(self.unit, newest))
        return self._register(name, composed, message, newest.tags, ())

    def _register(
        self, name: str, composed: Composed, message: str, tags: tuple[str, ...], labels: tuple[str, ...]
    ) -> Registered:
        unit, now = self.unit, self.unit.clock()
        check(composed.content, jinja2=self.unit.settings.jinja2)
        prompt = store.prompt(unit.session, unit.caller.project, name, lock=True)
        prompt = prompt or store.add_prompt(unit.session, unit.caller.project, name, now)
        refuse_archived(prompt)
        digest = content_digest(composed.content)
        made = None
        if store.newest_digest(unit.session, prompt) != digest:
            made = self._add_version(prompt, composed, digest, message, tags)
        number = made.number if made else prompt.newest
        for label in dict.fromkeys(labels):
            if prompt.labels.get(label) != number or label in prompt.splits:
                Labels(unit).point(prompt, label, Target(number), message or "registered with this label")
        if made is None:
            return Registered(self.version(name, number), created=False)
        return Registered(replace(made, labels=tuple(sorted(set(labels)))), created=True)

    def _add_version(self, prompt: Prompt, composed: Composed, digest: str, message: str, tags: tuple[str, ...]) -> Version:
        unit, now = self.unit, self.unit.clock()
        text = canonical(content_json(composed.content)).decode()
        made = store.add_version(unit.session, prompt, digest, text, message, tags, unit.caller.actor, now, composed.includes)
        detail = {"version": made.number, "digest": digest}
        audit.record(unit, Kind.VERSION_CREATED, prompt.name, {**detail, "message": message})
        ledger.add_event(unit.session, unit.caller.project, prompt.id, Kind.VERSION_CREATED, detail, now)
        resemblance.announce(unit, prompt.id)
        return made

    def preview(self, name: str, content: Content) -> Preview:
        """Tell what registering a content would do; nothing is written.

        Raises:
            InvalidPrompt: as `register`.
        """
        composed = composition.compose(self.unit, name, content)
        check(composed.content, jinja2=self.unit.settings.jinja2)
        digest = content_digest(composed.content)
        prompt = store.prompt(self.unit.session, self.unit.caller.project, name)
        newest = store.version(self.unit.session, prompt, prompt.newest) if prompt else None
        if newest is not None and newest.digest == digest:
            return Preview(composed.content, digest, newest.number, created=False, includes=composed.includes)
        number = newest.number + 1 if newest else 1
        return Preview(composed.content, digest, number, created=True, includes=composed.includes)

    def lookup(
        self,
        name: str,
        *,
        label: str | None = None,
        version: int | None = None,
        targeting_key: str | None = None,
        as_of: datetime | None = None,
    ) -> Found:
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
        prompt = existing(self.unit, name)
        archived, then = prompt.archived_at is not None, ""
        if as_of is not None:
            if as_of > self.unit.clock():
                raise InvalidRequest("as_of is still to come; give a moment in the past")
            past = prompt_at(self.unit.session, prompt, as_of)
            prompt, archived, then = past.prompt, past.archived, f" at {in_utc(as_of)}"
        if version is not None:
            return Found(self._version(prompt, version), None, prompt.revision)
        if archived:
            raise NotFound(f"the prompt '{name}' is archived; its versions are still found by their numbers")
        label = label or DEFAULT_LABEL
        if label in prompt.splits:
            split = prompt.splits[label]
            arm = split.arm(targeting_key)
            return Found(self._version(prompt, arm.version), label, prompt.revision, split, arm.variant)
        number = prompt.newest if label == LATEST else prompt.labels.get(label)
        if number is None:
            known = ", ".join(prompt.labels) or "none"
            raise NotFound(f"the prompt '{name}' has no label '{label}'{then}; its labels are: {known}")
        return Found(self._version(prompt, number), label, prompt.revision)

    def labelled(self, label: str, after: str | None, limit: int) -> list[Found]:
        """Find what a lookup by a label finds, for each of the next prompts by name that have it; of a split the first arm."""
        prompts = store.prompts(self.unit.session, self.unit.caller.project, after, limit, label=label)
        versions = store.labelled(self.unit.session, prompts, label)
        arms = {prompt.id: prompt.splits[label].arms[0].variant for prompt in prompts if label in prompt.splits}
        return [
            Found(versions[prompt.id], label, prompt.revision, prompt.splits.get(label), arms.get(prompt.id))
            for prompt in prompts
            if prompt.id in versions
        ]

    def version(self, name: str, number: int) -> Version:
        """Give one version.

        Raises:
            NotFound: when there is none.
        """
        return self._version(existing(self.unit, name), number)

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
            decode(cursor, str),
            limit + 1,
            search=search,
            label=label,
            tag=tag,
            archived=archived,
        )
        return page(rows, limit, lambda prompt: prompt.name)

    def versions(self, name: str, limit: int, cursor: str | None) -> Page[Version]:
        """List a prompt's versions, the newest first."""
        rows = store.versions(self.unit.session, existing(self.unit, name), decode(cursor, int), limit + 1)
        return page(rows, limit, lambda version: version.number)

    def events(self, name: str, limit: int, cursor: str | None, kinds: Sequence[Kind] = ()) -> Page[Event]:
        """List what has happened to a prompt, the newest first; of certain kinds where they are given."""
        prompt = existing(self.unit, name)
        rows = ledger.events_of(self.unit.session, prompt, decode(cursor, int), limit + 1, kinds or tuple(Kind))
        return page(rows, limit, lambda event: event.revision)

    def offers(self, name: str) -> list[Offer]:
        """List what includes a prompt and is in use, each with the newer version that it could take."""
        return composition.offers(self.unit, name)

    def archive(self, name: str, reason: str) -> Prompt:
        """Hide a prompt: its labels no longer answer and lists leave it out; archiving it again changes nothing.

        Raises:
            NotFound: for an unknown prompt.
        """
        return self._set_archived(name, self.unit.clock(), Kind.PROMPT_ARCHIVED, reason)

    def restore(self, name: str, reason: str) -> Prompt:
        """Bring an archived prompt back as it was.

        Raises:
            NotFound: for an unknown prompt.
        """
        return self._set_archived(name, None, Kind.PROMPT_RESTORED, reason)

    def _set_archived(self, name: str, at: datetime | None, kind: Kind, reason: str) -> Prompt:
        unit = self.unit
        hold(unit.session, unit.caller.project)
        prompt = existing(unit, name, lock=True)
        if (prompt.archived_at is None) == (at is None):
            return prompt
        store.set_archived(unit.session, prompt, at)
        audit.record(unit, kind, name, {"reason": reason})
        ledger.add_event(unit.session, unit.caller.project, prompt.id, kind, {"reason": reason}, unit.clock())
        return existing(unit, name)

    def _version(self, prompt: Prompt, number: int) -> Version:
        version = store.version(self.unit.session, prompt, number) if number <= prompt.newest else None
        if version is None:
            raise NotFound(f"the prompt '{prompt.name}' has no version {number}; its newest is {prompt.newest}")
        return version
