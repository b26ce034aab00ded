"""The differences between a folder of prompt files and the registry, in both directions."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from promptuary.cli.prompts_as_code.plan import plan
from promptuary.cli.prompts_as_code.plan_step import PlanStep
from promptuary.cli.registry.labels import describe_target
from promptuary.cli.registry.state import RegistryState


@dataclass(frozen=True)
class Difference:
    """One difference: `kind` is `file` (only there), `registry` (only there), `archived`, `content` or `labels`."""

    prompt: str
    kind: str
    detail: str

    def as_json(self) -> dict[str, Any]:
        """Return the difference as a JSON object."""
        return {"prompt": self.prompt, "kind": self.kind, "detail": self.detail}


def differences(registry: RegistryState, folder: Path) -> list[Difference]:
    """List the differences by name. A label that only the registry has is none: files list the labels to move, not all labels.

    Raises:
        InvalidFile: with what is wrong in any file.
    """
    steps = plan(registry, folder)
    listed = [difference for step in steps for difference in _of_step(registry, step)]
    files = {step.prompt.name for step in steps}
    for name, state in registry.prompts.items():
        if name not in files and not state.archived:
            listed.append(Difference(name, "registry", f"only in the registry, version {state.newest}"))
    return sorted(listed, key=lambda difference: (difference.prompt, difference.kind))


def _of_step(registry: RegistryState, step: PlanStep) -> list[Difference]:
    name = step.prompt.name
    state = registry.prompts.get(name)
    if state is None:
        return [Difference(name, "file", f"only in the files, {step.prompt.path}")]
    if state.archived:
        return [Difference(name, "archived", f"archived in the registry, and still in the files, {step.prompt.path}")]
    if step.registers:
        parts = ", ".join(dict.fromkeys(change.part for change in step.changes))
        return [Difference(name, "content", _which(registry, step) + (f"; it differs in {parts}" if parts else ""))]
    differing = []
    for label in dict.fromkeys(step.prompt.labels):
        if label in state.splits:
            target = f"split {describe_target({'split': state.splits[label]})}"
        elif label not in state.labels:
            target = "nowhere"
        elif state.labels[label] != step.version:
            target = f"at version {state.labels[label]}"
        else:
            continue
        detail = f"{label} is {target} in the registry, and at version {step.version} by the file"
        differing.append(Difference(name, "labels", detail))
    return differing


def _which(registry: RegistryState, step: PlanStep) -> str:
    """Return whether the file has a new text, or that of an older version."""
    name = step.prompt.name
    for version in registry.api.items(f"/prompts/{name}/versions"):
        if version.get("erased_at"):
            if version["digest"] == step.digest:
                return f"the file has the content of version {version['version']}, which was erased"
        elif registry.has_content(step.prompt.content, version):
            if version["version"] == step.newest:
                return f"the file is version {step.newest}, and what it includes has changed since"
            return f"the file is version {version['version']}, and the registry is at {step.newest}"
    return f"the file matches no version in the registry, which is at {step.newest}"
