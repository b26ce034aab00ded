"""The version of each prompt that is imported from a foreign file, because a prompt file contains one version."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from promptuary.prompt.errors import FieldError, Invalid
from promptuary.prompt.files.yaml_document import InvalidFile, YamlDocument
from promptuary.prompt.foreign.drafts import ImportChoice, ImportDraft, ImportedPrompt, SourceVersion, finish_drafts
from promptuary.prompt.foreign.source_names import SourceNames
from promptuary.prompt.name import LATEST, fold_label, is_name

_LABELS_SHOWN = 20


@dataclass(frozen=True)
class OmittedPrompt:
    """A prompt of the file that is not imported: its name in the file, its version there, the reason, and its errors."""

    name: str
    version: int | None
    reason: str
    field_errors: tuple[FieldError, ...] = ()


@dataclass(frozen=True)
class ImportSelection:
    """What is imported of a file, and what is not; each in the order of the file."""

    prompts: tuple[ImportedPrompt, ...]
    omitted: tuple[OmittedPrompt, ...]


def select_prompts(
    drafts: Sequence[ImportDraft], document: YamlDocument, source: str, names: SourceNames, choice: ImportChoice
) -> ImportSelection:
    """Check the drafts of a file, and select one version of each prompt.

    It is the version that has the label, or without a label the highest. A prompt without the label is left out, and so is one
    whose selected version has errors: an older version does not stand in for it. A remark lists the other versions.

    Args:
        drafts: every prompt and version that was read.
        document: the file, for the lines of the errors.
        source: the file's name, for the errors.
        names: how the names of the file become names here.
        choice: what the caller takes from the file.

    Raises:
        InvalidFile: as `finish_drafts` does, or when nothing remains.
        Invalid: when no prompt has the label, or several versions of a prompt have it.
    """
    versions = finish_drafts(drafts, document, source, names, choice)
    label = None if choice.label is None or fold_label(choice.label) == LATEST else fold_label(choice.label)
    if not versions:
        raise InvalidFile(f"{source} contains no prompt")
    if label is not None:
        _require_label(versions, label, source)
    by_name: dict[str, list[SourceVersion]] = {}
    for version in versions:
        by_name.setdefault(version.name if is_name(version.name) else version.source_name, []).append(version)
    selected = [_select(of_prompt, label) for of_prompt in by_name.values()]
    prompts = tuple(prompt for prompt in selected if isinstance(prompt, ImportedPrompt))
    omitted = tuple(prompt for prompt in selected if isinstance(prompt, OmittedPrompt))
    if not prompts:
        raise InvalidFile(
            f"{source} contains no prompt that can be imported",
            [
                field_error
                for prompt in omitted
                for field_error in prompt.field_errors or [FieldError(prompt.name, prompt.reason)]
            ],
        )
    return ImportSelection(prompts, omitted)


def _require_label(versions: Sequence[SourceVersion], label: str, source: str) -> None:
    labels = sorted({each for version in versions for each in version.labels})
    if label in labels:
        return
    listed = ", ".join(labels[:_LABELS_SHOWN]) + (", …" if len(labels) > _LABELS_SHOWN else "")
    existing = f"the labels there are: {listed}" if labels else "there are no labels; leave out --label"
    raise Invalid("nothing was imported", [FieldError(source, f"no prompt has the label '{label}'; {existing}")])


def _select(versions: Sequence[SourceVersion], label: str | None) -> ImportedPrompt | OmittedPrompt:
    """Return the version of a prompt that is imported, with a remark on the others, or why there is none."""
    candidates = [version for version in versions if label is None or label in version.labels]
    if not candidates:
        return OmittedPrompt(versions[0].source_name, None, f"has no label {label}")
    numbers = dict.fromkeys(str(version.number) for version in candidates)
    if label is not None and len(numbers) > 1:
        message = f"versions {', '.join(numbers)} all have the label '{label}'; leave out --label for the highest"
        raise Invalid("nothing was imported", [FieldError(versions[0].name, message)])
    best = max(candidates, key=_order)
    if best.prompt is None:
        number = "" if best.number is None else f"version {best.number} "
        return OmittedPrompt(best.source_name, best.number, f"{number}is not valid", best.field_errors)
    others = [version for version in versions if version is not best]
    if not others:
        return best.prompt
    listed = ", ".join(f"version {version.number}" if version.number else "another" for version in others)
    return replace(
        best.prompt, remarks=(*best.prompt.remarks, FieldError("", f"a file contains one version; left out: {listed}"))
    )


def _order(version: SourceVersion) -> float:
    """Return the number of a version; one that is not valid and has no number may be the highest."""
    return version.number if version.number is not None else math.inf if version.prompt is None else 0
