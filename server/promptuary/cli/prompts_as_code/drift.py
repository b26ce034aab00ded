"""In what a folder of prompt files and the registry differ, seen from both sides."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from promptuary.cli.prompts_as_code.plan import PlanStep, plan
from promptuary.cli.registry.labels import describe_target
from promptuary.cli.registry.state import RegistryState


@dataclass(frozen=True)
class Difference:
    """One difference: `kind` is `file` (only there), `registry` (only there), `archived`, `content` or `labels`."""

    prompt: str
    kind: str
    told: str

    def as_json(self) -> dict[str, Any]:
        """Give it for programs."""
        return {"prompt": self.prompt, "kind": self.kind, "detail": self.told}


def differences(holdings: RegistryState, folder: Path) -> list[Difference]:
    """List what differs, by name. A label that only the registry knows is none: files say what they move, not all there is.

    Raises:
        InvalidFile: for what is wrong in any file.
    """
    steps = plan(holdings, folder)
    found = [one for step in steps for one in _of_step(holdings, step)]
    files = {step.prompt.name for step in steps}
    for name, held in holdings.prompts.items():
        if name not in files and not held.archived:
            found.append(Difference(name, "registry", f"only in the registry, version {held.newest}"))
    return sorted(found, key=lambda one: (one.prompt, one.kind))


def _of_step(holdings: RegistryState, step: PlanStep) -> list[Difference]:
    name = step.prompt.name
    held = holdings.prompts.get(name)
    if held is None:
        return [Difference(name, "file", f"only in the files, {step.prompt.path}")]
    if held.archived:
        return [Difference(name, "archived", f"archived in the registry, and still in the files, {step.prompt.path}")]
    if step.registers:
        return [
            Difference(
                name,
                "content",
                f"{_which(holdings, step)}; it differs in {', '.join(dict.fromkeys(change.part for change in step.changes))}",
            )
        ]
    found = []
    for label in dict.fromkeys(step.prompt.labels):
        if label in held.splits:
            there = f"split {describe_target({'split': held.splits[label]})}"
        elif label not in held.labels:
            there = "nowhere"
        elif held.labels[label] != step.version:
            there = f"at version {held.labels[label]}"
        else:
            continue
        told = f"{label} is {there} in the registry, and at version {step.version} by the file"
        found.append(Difference(name, "labels", told))
    return found


def _which(holdings: RegistryState, step: PlanStep) -> str:
    """Say whether the file has new words, or those of an older version."""
    name = step.prompt.name
    for version in holdings.api.items(f"/prompts/{name}/versions"):
        if holdings.says(step.prompt.content, version):
            if version["version"] == step.newest:
                return f"the file is version {step.newest}, and what it includes has changed since"
            return f"the file is version {version['version']}, and the registry is at {step.newest}"
    return f"the file is no version that the registry has, which is at {step.newest}"
