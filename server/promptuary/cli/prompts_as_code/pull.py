"""Write prompt files from the registry. A file is overwritten only where the registry has the content that it replaces."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from promptuary.cli.prompts_as_code.origins import Origin, write_with_origins
from promptuary.cli.registry.labels import describe_target
from promptuary.cli.registry.state import PromptState, RegistryState
from promptuary.prompt.errors import FieldError, Invalid
from promptuary.prompt.files.prompt_file import PromptFile, parse_prompt_file, path_of, prompt_paths, read_text
from promptuary.prompt.files.prompt_file_writer import leading_comments, prompt_file_text
from promptuary.prompt.files.yaml_document import InvalidFile
from promptuary.prompt.name import LATEST, fold_name

PullState = Literal["new", "updated", "same", "left out"]
_MARKS: dict[PullState, str] = {"new": "+", "updated": "~", "same": "=", "left out": "!"}


@dataclass(frozen=True)
class PulledPrompt:
    """The new state of a prompt's file: its text where it is written, and what would be lost where it may not be.

    `origin` is the version of which the file is a copy then.
    """

    prompt: str
    version: int | None
    path: Path
    state: PullState
    detail: str = ""
    text: str | None = None
    lost: str | None = None
    origin: Origin | None = None

    def describe(self) -> str:
        """Return it as a line."""
        text = self.detail or f"version {self.version}  {self.path}"
        return f"{_MARKS[self.state]} {self.prompt}  {text}"

    def as_json(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return {
            "prompt": self.prompt,
            "version": self.version,
            "file": str(self.path),
            "state": self.state,
            "detail": self.detail,
        }


def pull(
    registry: RegistryState,
    folder: Path,
    *,
    label: str | None = None,
    prompts: Sequence[str] = (),
    labels: bool = True,
    force: bool = False,
) -> list[PulledPrompt]:
    """Return the new state of each prompt's file; `write` writes the files.

    Args:
        registry: the state of the registry.
        folder: the folder of the files.
        label: use the version under this label; prompts without it are left out. By default the newest.
        prompts: only these; by default all that are not archived.
        labels: whether the files contain the labels that point at their version.
        force: whether a file is overwritten whose content the registry does not have.

    Raises:
        Invalid: with the files whose content the registry does not have, for an unknown prompt, or a label that no prompt has.
        InvalidFile: for two files that contain the same prompt.
    """
    if label is not None:
        registry.require_labels([label])
    names = _selected_names(registry, prompts)
    pulls = _PullPlan(registry, folder, prompt_paths(folder), label, labels)
    pulled = [pulls.pull(name) for name in names]
    field_errors = [FieldError(str(prompt.path), prompt.lost) for prompt in pulled if prompt.lost is not None]
    if field_errors and not force:
        raise Invalid(
            "nothing was written: files would lose content that only they have (--force overwrites them)", field_errors
        )
    return pulled


def write(folder: Path, pulled: Sequence[PulledPrompt]) -> None:
    """Write the files, and the versions that they are copies of."""
    texts = {prompt.path: prompt.text for prompt in pulled if prompt.text is not None}
    origins = {prompt.prompt: prompt.origin for prompt in pulled if prompt.origin is not None}
    if origins:
        write_with_origins(folder, texts, origins)


def _selected_names(registry: RegistryState, prompts: Sequence[str]) -> list[str]:
    in_use = {name: state for name, state in registry.prompts.items() if not state.archived}
    field_errors = [
        FieldError(name, "is archived" if name in registry.prompts else "is not in the registry")
        for name in prompts
        if name not in in_use
    ]
    if field_errors:
        raise Invalid("the prompts cannot be pulled", field_errors)
    return sorted(set(prompts) or in_use)


@dataclass(frozen=True)
class _PullPlan:
    """What one pull compares: the registry, the existing files by prompt, and the options.

    Attributes:
        registry: the state of the registry.
        folder: the folder of the files.
        paths: the existing files by the name of their prompt.
        label: the label whose versions are pulled; None for the newest.
        labels: whether the files contain the labels that point at their version.
    """

    registry: RegistryState
    folder: Path
    paths: dict[str, Path]
    label: str | None
    labels: bool

    def pull(self, name: str) -> PulledPrompt:
        """Return the new state of a prompt's file."""
        state = self.registry.prompts[name]
        path = self.paths.get(name) or path_of(self.folder, name)
        if self.label is not None and self.label in state.splits:
            split = describe_target({"split": state.splits[self.label]})
            return PulledPrompt(name, None, path, "left out", f"{self.label} is split {split}: pull --latest")
        number = state.newest if self.label in (None, LATEST) else state.labels.get(self.label)
        if number is None:
            return PulledPrompt(name, None, path, "left out", f"has no label {self.label}")
        body = self.registry.find_version(name, number)
        if body is None:
            return PulledPrompt(name, None, path, "left out", f"the content of version {number} was erased")
        file_labels = tuple(sorted(_labels_at(state, number))) if self.labels else ()
        content = self.registry.as_written(body)
        text = prompt_file_text(
            content, labels=file_labels, message=body["message"], tags=body["tags"], given_name=_given_name(body)
        )
        try:
            assert self.registry.has_content(parse_prompt_file(text, path, name).content, body), path
        except InvalidFile as error:  # registered by a release with other rules, or with jinja2
            return PulledPrompt(name, None, path, "left out", f"version {number} cannot be a file here: {error}")
        origin = Origin.of(body, state.newest, file_labels)
        if not path.exists():
            return PulledPrompt(name, number, path, "new", text=text, origin=origin)
        known_labels = {*file_labels, *_split_labels(state, number)} if self.labels else None
        return self._compare(body, PulledPrompt(name, number, path, "updated", text=text, origin=origin), known_labels)

    def _compare(self, body: Any, pulled: PulledPrompt, known_labels: set[str] | None) -> PulledPrompt:
        """Compare the text for an existing file with the file; labels that lead elsewhere and other tags are a difference."""
        try:
            current_text = read_text(pulled.path)
            file = parse_prompt_file(current_text, pulled.path, pulled.prompt)
        except InvalidFile as error:
            return replace(pulled, lost=str(error).removeprefix(f"{pulled.path} "))
        same_labels = known_labels is None or set(file.labels) <= known_labels
        same_tags = not file.tags or set(file.tags) == set(body["tags"])  # a file without tags takes those of the version
        same_content = self.registry.has_content(file.content, body)
        if same_content and same_labels and same_tags:
            origin = pulled.origin and Origin.of(body, pulled.origin.newest, file.labels)
            return replace(pulled, state="same", text=None, origin=origin)
        text = leading_comments(current_text) + (pulled.text or "")
        if not same_content:
            lost = _lost_content(self.registry, file)
        else:
            lost = None if same_labels else _lost_labels(file, body)
        return replace(pulled, text=text, lost=lost)


def _labels_at(state: PromptState, number: int) -> list[str]:
    """Return the labels that point at a version and are not split."""
    return [label for label, at in state.labels.items() if at == number and label not in state.splits]


def _given_name(body: Mapping[str, Any]) -> str | None:
    """Return a prompt's name in another registry where it does not fold onto its name here."""
    given_name = body["given_name"]
    return given_name if given_name is not None and fold_name(given_name) != body["name"] else None


def _split_labels(state: PromptState, number: int) -> set[str]:
    """Return the split labels with an arm of a version."""
    return {label for label, split in state.splits.items() if number in {arm["version"] for arm in split["arms"]}}


def _lost_labels(file: PromptFile, body: Any) -> str:
    return f"contains labels that do not point at version {body['version']}: {', '.join(file.labels)}"


def _lost_content(registry: RegistryState, file: PromptFile) -> str | None:
    """Return that the registry has no version of a file's content; None where it has one."""
    for version in registry.api.items(f"/prompts/{file.name}/versions"):
        if registry.has_content(file.content, version):
            return None
    return "matches no version in the registry"
