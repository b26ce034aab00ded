"""The comparison of a file with the version that it comes from, where the registry may have moved on since.

The rule is git's. What the author did not change has no effect: an older text stays older, and a label that was moved in the
registry since stays there. What both sides changed is a conflict, which `--supersede` decides for the file.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from promptuary.cli.prompts_as_code.origins import Origin
from promptuary.cli.registry.labels import describe_target
from promptuary.cli.registry.state import PromptState, RegistryState
from promptuary.prompt.files.prompt_file import PromptFile


@dataclass(frozen=True)
class OriginComparison:
    """A file, its prompt in the registry, and the version of which the file was a copy."""

    prompt: PromptFile
    state: PromptState
    origin: Origin

    def is_unchanged(self, registry: RegistryState, *, registers: bool) -> bool:
        """Return whether the file still has the content of its origin.

        Args:
            registry: the state of the registry.
            registers: whether the content, as it would be registered now, differs from the newest version.
        """
        if self.origin.version == self.state.newest:
            return not registers
        return registry.has_content(self.prompt.content, registry.version(self.prompt.name, self.origin.version))

    def with_added_labels(self) -> PromptFile:
        """Return the file with only those labels that its author has added since."""
        return replace(self.prompt, labels=tuple(label for label in self.prompt.labels if label not in self.origin.labels))

    def unchanged_remarks(self) -> tuple[str, ...]:
        """Return what is newer in the registry than a file that has not changed."""
        newest = self.state.newest
        older = (f"unchanged since it was copied from version {self.origin.version}; the newest is {newest}",)
        return (older if self.origin.version < newest else ()) + tuple(f"{text}, and stays" for text in self._moved_labels())

    def changed_remarks(self) -> tuple[str, ...]:
        """Return the consequence of registering a changed file that comes from an older version."""
        if self.origin.version == self.state.newest:
            return ()
        text = f"comes from version {self.origin.version}, and the newest is {self.state.newest}: this text becomes the newest"
        return (text,)

    def conflicts(self) -> Sequence[str]:
        """Return what has changed in the registry as well as in the file."""
        name, seen, newest = self.prompt.name, self.origin.newest, self.state.newest
        remedy = "pull and edit again, or apply with --supersede, which prefers the file"
        registered = [
            f"version {newest} was registered since the file was copied, when the newest was {seen} "
            f"(promptuary diff {name} {seen} {newest}): {remedy}"
        ]
        return (registered if seen < newest else []) + [f"{text}: {remedy}" for text in self._moved_labels()]

    def _moved_labels(self) -> list[str]:
        """Return the labels of the file that were moved in the registry since, each with its target."""
        moved = []
        for label in self.origin.labels:
            split, target = self.state.splits.get(label), self.state.labels.get(label)
            if label not in self.prompt.labels or (split is None and target == self.origin.version):
                continue
            where = "was removed" if target is None else f"now points at version {target}"
            moved.append(f"{label} {where if split is None else 'is now split ' + describe_target({'split': split})}")
        return moved
