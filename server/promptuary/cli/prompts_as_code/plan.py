"""The plan of a folder of prompt files: what applying it would do, computed before anything is written.

The server resolves a file's content, so its digest is the one that it would get. Where a file includes what another file is
about to change, the two are composed here by the same rules, in the order in which they will be applied.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from promptuary.cli.connection import ApiRefused
from promptuary.cli.prompts_as_code.origin_comparison import OriginComparison
from promptuary.cli.prompts_as_code.origins import Origin, read_origins
from promptuary.cli.prompts_as_code.plan_step import PlanStep
from promptuary.cli.registry.labels import describe_target
from promptuary.cli.registry.prompts import content_body
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
from promptuary.prompt.registration.validation import validate_content as check_content


@dataclass(frozen=True)
class Insistence:
    """What applying may override: labels that are split, and versions that were registered since a file was copied."""

    force: bool = False
    supersede: bool = False


def plan(registry: RegistryState, folder: Path, *, force: bool = False, supersede: bool = False) -> list[PlanStep]:
    """Compare the files with the registry, and return the steps in the order in which they are to be applied.

    Every file is checked before the first request, so that a bad one stops all.

    Args:
        registry: the state of the registry.
        folder: the folder of prompt files.
        force: whether labels that are split may be moved, which ends the split.
        supersede: whether files may be registered that were edited while the registry got newer versions.

    Raises:
        InvalidFile: with what is wrong in any file or in what it includes.
    """
    prompts = read_prompt_folder(folder)
    for prompt in prompts:
        _check_labels(prompt)
    projected = _ProjectedRegistry(registry, read_origins(folder))
    steps: list[PlanStep] = []
    broken: list[InvalidFile] = []
    for prompt in dependency_order(prompts):
        try:
            steps.append(projected.step(prompt, Insistence(force, supersede)))
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

    def __init__(self, registry: RegistryState, origins: Mapping[str, Origin]) -> None:
        self.registry = registry
        self.origins = origins
        self.prompts = dict(registry.prompts)
        self.planned_versions: dict[tuple[str, int], IncludedVersion] = {}
        self.touched: set[str] = set()

    def step(self, prompt: PromptFile, insistence: Insistence) -> PlanStep:
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
        step = self._step_of(prompt, before, content, registers, insistence)
        if before.archived:
            step = replace(step, obstacles=("is archived; restore it with `promptuary restore`", *step.obstacles))
        if step.acts:
            self.touched.add(prompt.name)
        if step.registers:
            self.planned_versions[prompt.name, step.version] = IncludedVersion(prompt.name, step.version, content, pinned)
        labels = {**before.labels, **dict.fromkeys(step.moves, step.version)}
        splits = {label: split for label, split in before.splits.items() if label not in step.moves}
        newest = max(before.newest, step.version)
        self.prompts[prompt.name] = replace(before, newest=newest, labels=labels, splits=splits)
        return step

    def _step_of(
        self, prompt: PromptFile, before: PromptState, content: Content, registers: bool, insistence: Insistence
    ) -> PlanStep:
        """Return the effect of a file with its resolved content, compared with its origin and with the newest version."""
        origin = self.origins.get(prompt.name)
        erased = registers and self._is_erased(prompt.name, before, content, origin)
        if origin is not None and not origin.is_in(self.registry, prompt.name):
            origin = None
        comparison = None if origin is None else OriginComparison(prompt, before, origin)
        if comparison is not None and comparison.is_unchanged(self.registry, registers=registers):
            version = self.registry.version(prompt.name, comparison.origin.version)
            moved = _moves(comparison.with_added_labels(), before, version["version"], False, insistence.force)
            return PlanStep(
                prompt,
                before.newest,
                version["version"],
                version["digest"],
                registers=False,
                moves=moved.moves,
                stays_split=moved.stays_split,
                tags=_new_tags(prompt, version["tags"]),
                obstacles=moved.obstacles,
                origin=origin,
                remarks=comparison.unchanged_remarks(),
            )
        moved = _moves(prompt, before, before.newest + registers, registers, insistence.force)
        old = self.registry.find_version(prompt.name, before.newest) if registers and before.newest else None
        conflicts: Sequence[str] = ()
        if comparison is not None and registers and not insistence.supersede:
            conflicts = comparison.conflicts()
        if erased and not insistence.supersede:
            conflicts = ("comes from a version whose content was erased: change or pull it, or register it with --supersede",)
        return PlanStep(
            prompt,
            before.newest,
            before.newest + registers,
            content_digest(content),
            registers,
            moved.moves,
            moved.stays_split,
            tags=None if registers else _new_tags(prompt, before.tags),
            changes=_changes(content_of(old), content) if old else (),
            obstacles=(*moved.obstacles, *conflicts),
            origin=origin,
            remarks=comparison.changed_remarks() if comparison is not None and registers else (),
        )

    def _is_erased(self, name: str, before: PromptState, content: Content, origin: Origin | None) -> bool:
        """Return whether a file has the content of an erased version, or is a copy of one."""
        if origin is not None and origin.is_erased(self.registry, name):
            return True
        return before.newest > 0 and content_digest(content) in self.registry.erased_versions(name).values()

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
        newest = self.registry.find_version(prompt.name, before.newest) if before.newest else None
        digest = newest["digest"] if newest else None
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


def _new_tags(prompt: PromptFile, tags: Sequence[str]) -> tuple[str, ...] | None:
    """Return the tags of a file, where its version has others; a file without tags keeps those of the version."""
    return prompt.tags if prompt.tags and set(prompt.tags) != set(tags) else None


@dataclass(frozen=True)
class _LabelMoves:
    """Which labels of a file move, which stay split, and which cannot move because they are split."""

    moves: tuple[str, ...]
    stays_split: tuple[str, ...]
    obstacles: tuple[str, ...]


def _moves(prompt: PromptFile, before: PromptState, version: int, registers: bool, force: bool) -> _LabelMoves:
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
    return _LabelMoves(tuple(moves), tuple(stays), tuple(obstacles))


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
