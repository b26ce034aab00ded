"""The plan of a folder of prompt files: what applying it would do, computed before anything is written.

The server resolves a file's content, so its digest is the one that it would get. Where a file includes what another file is
about to change, the two are composed here by the same rules, in the order in which they will be applied.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from promptuary.cli.connection import ApiClient, ApiRefused
from promptuary.cli.registry.diff import head
from promptuary.cli.registry.labels import describe_target
from promptuary.cli.registry.prompts import content_body, register
from promptuary.cli.registry.state import PromptState, RegistryState, content_of, pins
from promptuary.prompt.content import Content
from promptuary.prompt.diff.contents import compare_contents
from promptuary.prompt.diff.json_changes import ContentChange, same_bytes
from promptuary.prompt.digest import content_digest, content_json
from promptuary.prompt.errors import FieldError, Invalid, InvalidPrompt
from promptuary.prompt.files.prompt_file import PromptFile, combined_error, read_prompt_folder
from promptuary.prompt.files.yaml_document import InvalidFile
from promptuary.prompt.inclusion import (
    CANNOT_INCLUDE,
    IncludedVersion,
    UnresolvedReference,
    compose,
    content_references,
    read_reference,
    refuse_unincludable,
    resolve_number,
)
from promptuary.prompt.name import LATEST, is_name
from promptuary.prompt.validation import validate_content as check_content


@dataclass(frozen=True)
class PlanStep:
    """The effect of applying one file: a new version, moved labels, or nothing; or the obstacles to applying it."""

    prompt: PromptFile
    newest: int
    version: int
    digest: str
    registers: bool
    moves: tuple[str, ...] = ()
    stays_split: tuple[str, ...] = ()
    waits: tuple[str, ...] = ()
    changes: tuple[ContentChange, ...] = ()
    obstacles: tuple[str, ...] = ()

    @property
    def acts(self) -> bool:
        """Whether applying it changes anything."""
        return self.registers or bool(self.moves)

    def describe(self) -> str:
        """Return the step as a line of the plan."""
        mark = "!" if self.obstacles else "+" if self.registers else "~" if self.moves else "="
        what = f"version {self.version}" + ("" if self.registers else " exists already")
        moved = f", {' '.join(self.moves)} → {self.version}" if self.moves else ""
        return f"{mark} {self.prompt.name}  {what}{moved}"

    def details(self) -> Iterator[str]:
        """Yield the details of the step, line by line."""
        yield from (f"  {head(asdict(change) | {'breaking': change.breaking})}" for change in self.changes)
        yield from (f"  breaking: {why}" for why in dict.fromkeys(change.why for change in self.changes if change.why))
        yield from (f"  {label}; this version is one of its arms, so it stays" for label in self.stays_split)
        yield from (f"  {wait}" for wait in self.waits)
        yield from (f"  {obstacle}" for obstacle in self.obstacles)

    def as_json(self) -> dict[str, Any]:
        """Return the step as a JSON object."""
        return {
            "prompt": self.prompt.name,
            "file": str(self.prompt.path),
            "version": self.version,
            "digest": self.digest,
            "registers": self.registers,
            "moves": list(self.moves),
            "breaking": any(change.breaking for change in self.changes),
            "changes": [
                {"part": change.part, "path": change.path, "kind": change.kind, "breaking": change.breaking, "why": change.why}
                for change in self.changes
            ],
            "stays_split": list(self.stays_split),
            "waits": list(self.waits),
            "obstacles": list(self.obstacles),
        }


def plan(registry: RegistryState, folder: Path, *, force: bool = False) -> list[PlanStep]:
    """Compare the files with the registry, and return the steps in the order in which they are to be applied.

    Every file is checked before the first request, so that a bad one stops all.

    Args:
        registry: the state of the registry.
        folder: the folder of prompt files.
        force: whether labels that are split may be moved, which ends the split.

    Raises:
        InvalidFile: with what is wrong in any file or in what it includes.
    """
    prompts = read_prompt_folder(folder)
    for prompt in prompts:
        _check_labels(prompt)
    projected = _ProjectedRegistry(registry)
    steps: list[PlanStep] = []
    broken: list[InvalidFile] = []
    for prompt in dependency_order(prompts):
        try:
            steps.append(projected.step(prompt, force))
        except InvalidFile as error:
            broken.append(error)
    if broken:
        raise combined_error(broken, folder)
    return steps


def _check_labels(prompt: PromptFile) -> None:
    field_errors = [
        prompt.with_line(
            FieldError("labels", f"'{label}' cannot be set: labels are names of a-z 0-9 _ . -, and `latest` moves by itself")
        )
        for label in prompt.labels
        if not is_name(label) or label == LATEST
    ]
    if field_errors:
        raise InvalidFile(f"{prompt.path} cannot be used", field_errors)


def dependency_order(prompts: Sequence[PromptFile]) -> list[PromptFile]:
    """Sort the files so that what is included comes before what includes it; else by name.

    Raises:
        InvalidFile: for files that include each other.
    """
    waiting = {prompt.name: prompt for prompt in prompts}
    needs = {
        name: {reference.partition("@")[0] for _, reference in content_references(prompt.content)} & waiting.keys() - {name}
        for name, prompt in waiting.items()
    }
    ordered: list[PromptFile] = []
    while waiting:
        ready = next((name for name in sorted(waiting) if not needs[name] & waiting.keys()), None)
        if ready is None:
            ring = sorted(name for name in waiting if needs[name] & waiting.keys())
            raise InvalidFile(
                "prompts cannot include each other", [FieldError(str(waiting[name].path), f"'{name}'") for name in ring]
            )
        ordered.append(waiting.pop(ready))
    return ordered


class _ProjectedRegistry:
    """The registry as it will be after the steps so far."""

    def __init__(self, registry: RegistryState) -> None:
        self.registry = registry
        self.prompts = dict(registry.prompts)
        self.planned_versions: dict[tuple[str, int], IncludedVersion] = {}
        self.touched: set[str] = set()

    def step(self, prompt: PromptFile, force: bool) -> PlanStep:
        """Plan a file, and apply its effect to the projected state."""
        before = self.prompts.get(prompt.name) or PromptState()
        try:
            content, pinned, registers = self._composed(prompt, before)
        except Invalid as error:
            if isinstance(error, ApiRefused) and error.code != InvalidPrompt.code:
                raise
            field_errors = [prompt.with_line(field_error) for field_error in error.field_errors] or [
                FieldError("", error.message)
            ]
            raise InvalidFile(f"{prompt.path} cannot be used", field_errors) from None
        version = before.newest + registers
        moves, stays_split, obstacles = _moves(prompt, before, version, registers, force)
        old = self.registry.version(prompt.name, before.newest) if registers and before.newest else None
        step = PlanStep(
            prompt,
            before.newest,
            version,
            content_digest(content),
            registers,
            moves,
            stays_split,
            () if registers or set(prompt.tags) == set(before.tags) else ("its tags are stored with its next version",),
            _changes(content_of(old), content) if old else (),
            ("is archived; restore it with `promptuary restore`", *obstacles) if before.archived else obstacles,
        )
        if step.acts:
            self.touched.add(prompt.name)
        if registers:
            self.planned_versions[prompt.name, version] = IncludedVersion(prompt.name, version, content, pinned)
        labels = {**before.labels, **dict.fromkeys(moves, version)}
        splits = {label: split for label, split in before.splits.items() if label not in moves}
        self.prompts[prompt.name] = replace(before, newest=version, labels=labels, splits=splits)
        return step

    def _composed(self, prompt: PromptFile, before: PromptState) -> tuple[Content, Mapping[str, str], bool]:
        """Return the resolved content, the pinned versions of what it includes, and whether it is a new version."""
        named = content_references(prompt.content)
        if not any(reference.partition("@")[0] in self.touched for _, reference in named):
            preview = self.registry.api.post(f"/prompts/{prompt.name}/preview", content_body(prompt.content))
            return content_of(preview["content"]), pins(preview), preview["created"]
        resolved: dict[str, IncludedVersion] = {}
        field_errors: list[FieldError] = []
        for path, reference in named:
            try:
                resolved[reference] = self._resolved(prompt.name, reference)
            except UnresolvedReference as error:
                field_errors.append(FieldError(path, f"{{{{> {reference}}}}}: {error}"))
        if field_errors:
            raise InvalidPrompt(CANNOT_INCLUDE, field_errors)
        content = compose(prompt.content, resolved)
        check_content(content, jinja2=True)
        digest = self.registry.version(prompt.name, before.newest)["digest"] if before.newest else None
        pinned = {reference: f"{version.name}@{version.version}" for reference, version in resolved.items()}
        return content, pinned, digest != content_digest(content)

    def _resolved(self, name: str, reference: str) -> IncludedVersion:
        """Resolve a reference in the projected state, by the rules of `registry.composition`."""
        included_name, selector = read_reference(reference)
        prompt = self.prompts.get(included_name)
        if prompt is None or prompt.archived:
            raise UnresolvedReference(
                f"there is no prompt '{included_name}'" if prompt is None else f"the prompt '{included_name}' is archived"
            )
        number = resolve_number(included_name, selector, prompt.newest, prompt.labels, prompt.splits)
        included = self.planned_versions.get((included_name, number)) or self.registry.included(included_name, number)
        refuse_unincludable(included.content)
        if name in included.names():
            path = "" if included_name == name else f" by way of '{included_name}'"
            raise UnresolvedReference(f"the prompt would include itself{path}")
        return included


def _moves(
    prompt: PromptFile, before: PromptState, version: int, registers: bool, force: bool
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Return which labels move, which stay split, and which cannot move because they are split.

    A split is an experiment, and a file that is applied every day must not end it. Where the file's version is an arm of it
    already, the label stays; where the label would have to move elsewhere, that needs `--force`.
    """
    moves, stays, obstacles = [], [], []
    for label in dict.fromkeys(prompt.labels):
        split = before.splits.get(label)
        if split is None or force:
            if registers or split is not None or before.labels.get(label) != version:
                moves.append(label)
            continue
        text = f"{label} is split {describe_target({'split': split})}"
        if not registers and version in {arm["version"] for arm in split["arms"]}:
            stays.append(text)
        else:
            obstacles.append(f"{text}: end the split with --force, or remove the label from the file")
    return tuple(moves), tuple(stays), tuple(obstacles)


def _changes(old: Content, new: Content) -> tuple[ContentChange, ...]:
    """Return the changes, part by part."""
    try:
        return compare_contents(old, new, jinja2=True).changes
    except InvalidPrompt:  # the old format is not installed here
        before, after = content_json(old), content_json(new)
        return tuple(
            ContentChange(part, part, "changed", before[part], after[part])
            for part in after
            if not same_bytes(before[part], after[part])
        )


def check_steps(api: ApiClient, steps: Sequence[PlanStep]) -> None:
    """Raise Invalid where a plan cannot be applied completely: prompts are archived or split, or the key lacks a scope.

    Raises:
        Invalid: with every obstacle, or the missing scopes.
    """
    field_errors = [FieldError(step.prompt.name, obstacle) for step in steps for obstacle in step.obstacles]
    if field_errors:
        raise Invalid("the folder was not applied", field_errors)
    needed = {
        "prompt:write": any(step.acts for step in steps),
        "label:move": any(step.moves for step in steps),
    }
    caller = api.get("/self")
    lacking = [scope for scope, needs in needed.items() if needs and scope not in caller["scopes"]]
    if lacking:
        raise Invalid(
            "the folder was not applied",
            [
                FieldError("PROMPTUARY_API_KEY", f"a key of the role '{caller['role']}' has no scope {scope}")
                for scope in lacking
            ],
        )


def apply_step(api: ApiClient, step: PlanStep, done: Sequence[PlanStep]) -> Any:
    """Apply a step, and return the version.

    Raises:
        ApiRefused: with the file, and what was applied before it.
    """
    if not step.acts:
        return api.get(f"/prompts/{step.prompt.name}/versions/{step.version}")
    try:
        return register(api, step.prompt, step.moves)
    except ApiRefused as error:
        applied = ", ".join(earlier.prompt.name for earlier in done if earlier.acts) or "nothing"
        refused = ApiRefused(
            f"{step.prompt.path} was not applied; applied before it: {applied}. {error.message}", error.field_errors
        )
        refused.code = error.code
        raise refused from None
