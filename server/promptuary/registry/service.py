"""The rules of the registry: what may be registered, which number it takes, where a label may go."""

from dataclasses import dataclass

from promptuary.access import audit
from promptuary.access.caller import Unit
from promptuary.access.role import Scope
from promptuary.access.store import next_revision
from promptuary.base.errors import Conflict, Fault, InvalidRequest, NotFound, PreconditionFailed
from promptuary.base.paging import Page, decode, page
from promptuary.prompt.content import Content
from promptuary.prompt.digest import canonical, content_digest, content_json
from promptuary.prompt.name import is_name
from promptuary.prompt.template import prepare
from promptuary.registry import store
from promptuary.registry.store import Label, Move, Prompt, Version

LATEST = "latest"
DEFAULT_LABEL = "production"


@dataclass(frozen=True)
class Registered:
    """The version that holds the content, and whether this call made it."""

    version: Version
    created: bool


@dataclass(frozen=True)
class Found:
    """What a lookup found: the version, the label it was asked by, and the revision in which the prompt last changed."""

    version: Version
    label: str | None
    revision: int


@dataclass(frozen=True)
class Registry:
    """Prompts, versions and labels, on behalf of a caller."""

    unit: Unit

    def register(
        self, name: str, content: Content, *, message: str = "", tags: tuple[str, ...] = (), labels: tuple[str, ...] = ()
    ) -> Registered:
        """Register a content as the prompt's next version, unless the newest version is the same; move the labels to it.

        Raises:
            InvalidPrompt: when the content's parts do not fit each other.
            InvalidRequest: for a label that cannot be set.
            Forbidden: when labels are given and the caller may not move them.
        """
        prepare(content)
        if labels:
            self.unit.caller.require(Scope.LABEL_MOVE)
            _settable(labels)
        session, caller, now = self.unit.session, self.unit.caller, self.unit.clock()
        revision = next_revision(session, caller.project)
        prompt = store.prompt(session, caller.project, name, lock=True) or store.add_prompt(session, caller.project, name, now)
        digest = content_digest(content)
        newest = store.version(session, prompt, prompt.newest)
        created = newest is None or newest.digest != digest
        number = prompt.newest
        if created:
            text = canonical(content_json(content)).decode()
            number = store.add_version(session, prompt, digest, text, message, tags, caller.actor, now)
            audit.record(self.unit, "version.created", name, {"version": number, "digest": digest, "message": message})
        moving = [label for label in dict.fromkeys(labels) if prompt.labels.get(label) != number]
        for label in moving:
            self._move(prompt, label, number, message or "registered with this label", revision)
        if created or moving:
            store.touch(session, prompt.id, revision)
        return Registered(self.version(name, number), created)

    def lookup(self, name: str, *, label: str | None = None, version: int | None = None) -> Found:
        """Find the version that a label points at, or the one of that number; without either, the label `production`.

        Raises:
            InvalidRequest: when both are given.
            NotFound: saying whether the prompt, the label or the version is unknown, and what there is.
        """
        if label is not None and version is not None:
            raise InvalidRequest("give a label or a version, not both")
        prompt = self._prompt(name)
        if version is not None:
            return Found(self._version(prompt, version), None, prompt.revision)
        label = label or DEFAULT_LABEL
        number = prompt.newest if label == LATEST else prompt.labels.get(label)
        if number is None:
            known = ", ".join(prompt.labels) or "none"
            raise NotFound(f"the prompt '{name}' has no label '{label}'; its labels are: {known}")
        return Found(self._version(prompt, number), label, prompt.revision)

    def version(self, name: str, number: int) -> Version:
        """Give one version.

        Raises:
            NotFound: when there is none.
        """
        return self._version(self._prompt(name), number)

    def prompts(self, limit: int, cursor: str | None, search: str | None = None, label: str | None = None) -> Page[Prompt]:
        """List prompts by name."""
        after = decode(cursor, str)
        rows = store.prompts(self.unit.session, self.unit.caller.project, search, label, after, limit + 1)
        return page(rows, limit, lambda prompt: prompt.name)

    def versions(self, name: str, limit: int, cursor: str | None) -> Page[Version]:
        """List a prompt's versions, the newest first."""
        rows = store.versions(self.unit.session, self._prompt(name), decode(cursor, int), limit + 1)
        return page(rows, limit, lambda version: version.number)

    def move_label(self, name: str, label: str, version: int, reason: str, expected: int | None = None) -> Label:
        """Point a label at a version. A move to where it points already is a move too, and ends other callers' `expected`.

        Args:
            name: the prompt.
            label: any name but `latest`.
            version: the number it is to point at.
            reason: why; kept in the ledger.
            expected: the revision that the caller saw the label in; None for not to compare.

        Raises:
            InvalidRequest: for a label that cannot be set.
            NotFound: for an unknown prompt or version.
            PreconditionFailed: when the label has moved since.
        """
        _settable((label,))
        revision = next_revision(self.unit.session, self.unit.caller.project)
        prompt = self._prompt(name, lock=True)
        self._version(prompt, version)
        now = store.label(self.unit.session, prompt, label)
        if expected is not None and (now is None or now.revision != expected):
            raise PreconditionFailed(f"the label '{label}' has moved since it was read; read it again")
        moved = self._move(prompt, label, version, reason, revision)
        store.touch(self.unit.session, prompt.id, revision)
        return moved

    def roll_back(self, name: str, label: str, reason: str) -> Label:
        """Point a label at the other version that it pointed at last.

        Raises:
            NotFound: for an unknown prompt or label.
            Conflict: when the label has never pointed anywhere else.
        """
        revision = next_revision(self.unit.session, self.unit.caller.project)
        prompt = self._prompt(name, lock=True)
        if label not in prompt.labels:
            raise NotFound(f"the prompt '{name}' has no label '{label}'")
        before = store.version_before(self.unit.session, prompt, label)
        if before is None:
            raise Conflict(f"the label '{label}' of '{name}' has never pointed anywhere else")
        moved = self._move(prompt, label, before, reason, revision)
        store.touch(self.unit.session, prompt.id, revision)
        return moved

    def history(self, name: str, label: str, limit: int, cursor: str | None) -> Page[Move]:
        """List a label's moves, the newest first."""
        rows = store.moves(self.unit.session, self._prompt(name), label, decode(cursor, int), limit + 1)
        return page(rows, limit, lambda move: move.id)

    def _move(self, prompt: Prompt, label: str, version: int, reason: str, revision: int) -> Label:
        caller, now = self.unit.caller, self.unit.clock()
        previous = prompt.labels.get(label)
        move = Move(0, label, version, previous, caller.actor, reason, revision, now)
        audit.record(
            self.unit,
            "label.moved",
            prompt.name,
            {"label": label, "version": version, "previous": previous, "reason": reason},
        )
        return store.set_label(self.unit.session, prompt, label, move)

    def _prompt(self, name: str, *, lock: bool = False) -> Prompt:
        prompt = store.prompt(self.unit.session, self.unit.caller.project, name, lock=lock)
        if prompt is None:
            raise NotFound(f"there is no prompt '{name}' in the project '{self.unit.caller.project_name}'")
        return prompt

    def _version(self, prompt: Prompt, number: int) -> Version:
        version = store.version(self.unit.session, prompt, number)
        if version is None:
            raise NotFound(f"the prompt '{prompt.name}' has no version {number}; its newest is {prompt.newest}")
        return version


def _settable(labels: tuple[str, ...]) -> None:
    faults = [
        Fault(f"labels.{label}", "is given by the registry itself, to the newest version")
        for label in labels
        if label == LATEST
    ]
    faults += [Fault("labels", f"'{label}' is no name: use a-z 0-9 _ . -") for label in labels if not is_name(label)]
    if faults:
        raise InvalidRequest("the label cannot be set", faults)
