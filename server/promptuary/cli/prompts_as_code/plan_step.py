"""A step of a plan: the effect of one file, how it is shown, and how it is applied."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from promptuary.cli.connection import ApiClient, ApiRefused
from promptuary.cli.prompts_as_code.origins import Origin
from promptuary.cli.registry.diff import head
from promptuary.cli.registry.prompts import register
from promptuary.prompt.diff.json_changes import ContentChange
from promptuary.prompt.errors import FieldError, Invalid
from promptuary.prompt.files.prompt_file import PromptFile


@dataclass(frozen=True)
class PlanStep:
    """The effect of applying one file: a new version, moved labels, or nothing; or the obstacles to applying it.

    `origin` is the version of this registry of which the file was a copy; None where that is not known, or not needed. `tags`
    are those that a version which exists gets; None where it keeps its own.
    """

    prompt: PromptFile
    newest: int
    version: int
    digest: str
    registers: bool
    moves: tuple[str, ...] = ()
    stays_split: tuple[str, ...] = ()
    tags: tuple[str, ...] | None = None
    changes: tuple[ContentChange, ...] = ()
    obstacles: tuple[str, ...] = ()
    origin: Origin | None = None
    remarks: tuple[str, ...] = ()

    @property
    def is_older(self) -> bool:
        """Whether the file is an unchanged copy of a version that is not the newest."""
        return self.version < self.newest

    @property
    def acts(self) -> bool:
        """Whether applying it changes anything."""
        return self.registers or bool(self.moves) or self.tags is not None

    def describe(self) -> str:
        """Return the step as a line of the plan."""
        mark = "!" if self.obstacles else "+" if self.registers else "~" if self.acts else "="
        what = f"version {self.version}" + ("" if self.registers else " exists already")
        moved = f", {' '.join(self.moves)} → {self.version}" if self.moves else ""
        return f"{mark} {self.prompt.name}  {what}{moved}"

    def details(self) -> Iterator[str]:
        """Yield the details of the step, line by line."""
        yield from (f"  {head(asdict(change) | {'breaking': change.breaking})}" for change in self.changes)
        yield from (f"  breaking: {why}" for why in dict.fromkeys(change.why for change in self.changes if change.why))
        yield from (f"  {label}; this version is one of its arms, so it stays" for label in self.stays_split)
        if self.tags is not None:
            yield f"  its tags become {', '.join(self.tags)}"
        yield from (f"  {remark}" for remark in self.remarks)
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
            "tags": None if self.tags is None else list(self.tags),
            "origin": self.origin and self.origin.version,
            "remarks": list(self.remarks),
            "obstacles": list(self.obstacles),
        }


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
        if step.tags is not None:
            api.put(f"/prompts/{step.prompt.name}/versions/{step.version}/tags", {"tags": list(step.tags)})
        if step.registers or (step.moves and not step.is_older):
            return register(api, step.prompt, step.moves)
        for label in step.moves:  # to register the content of an older version would make it the newest
            move = {"version": step.version, "reason": step.prompt.message or "applied from a file with this label"}
            api.put(f"/prompts/{step.prompt.name}/labels/{label}", move)
        return api.get(f"/prompts/{step.prompt.name}/versions/{step.version}")
    except ApiRefused as error:
        applied = ", ".join(earlier.prompt.name for earlier in done if earlier.acts) or "nothing"
        refused = ApiRefused(
            f"{step.prompt.path} was not applied; applied before it: {applied}. {error.message}", error.field_errors
        )
        refused.code = error.code
        raise refused from None
