"""`promptuary import`: import a bundle into the registry, or prompts of Langfuse, MLflow and LangChain into prompt files."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from promptuary.cli.atomic_files import write_files
from promptuary.cli.connection import NotInstalled, connect
from promptuary.cli.output import AsJson, Project, print_json, print_line
from promptuary.cli.transfer.bundle import apply_import, plan_import
from promptuary.prompt.errors import FieldError, Invalid
from promptuary.prompt.files.bundle import is_bundle, parse_bundle, parse_json
from promptuary.prompt.files.prompt_file import path_of, prompt_paths, read_text
from promptuary.prompt.files.prompt_file_writer import prompt_file_text
from promptuary.prompt.files.yaml_document import InvalidFile, parse_yaml
from promptuary.prompt.foreign.drafts import ImportDraft, ImportedPrompt, finish_drafts, select_versions
from promptuary.prompt.foreign.langchain_file import is_langchain, read_langchain
from promptuary.prompt.foreign.langfuse_file import is_langfuse, read_langfuse
from promptuary.prompt.foreign.mlflow_file import is_mlflow, read_mlflow
from promptuary.prompt.foreign.phoenix_file import is_phoenix, read_phoenix
from promptuary.prompt.foreign.source_names import SourceNames
from promptuary.prompt.name import is_name

BUNDLE_LIMIT = 2**30
BUNDLE = "bundle"
PROMPTFOO = "promptfoo"
READERS: dict[str, tuple[Callable[[Any], bool], Callable[[Any, SourceNames], list[ImportDraft]]]] = {
    "langchain": (is_langchain, read_langchain),
    "phoenix": (is_phoenix, read_phoenix),
    "mlflow": (is_mlflow, read_mlflow),
    "langfuse": (is_langfuse, read_langfuse),
}


def import_file(
    file: Annotated[
        Path, typer.Argument(help="A bundle, or a JSON or YAML file of Langfuse, MLflow, LangChain, Phoenix or promptfoo.")
    ],
    form: Annotated[
        str | None,
        typer.Option("--from", help="bundle, langfuse, mlflow, langchain, phoenix or promptfoo; detected by default."),
    ] = None,
    folder: Annotated[
        Path, typer.Option("--to", help="The folder for prompt files; a bundle is imported into the registry.")
    ] = Path("prompts"),
    label: Annotated[
        str | None, typer.Option("--label", help="Import the version under this label; by default the highest.")
    ] = None,
    name: Annotated[str | None, typer.Option("--name", help="The prompt's name, for a file of one prompt.")] = None,
    rename: Annotated[
        list[str] | None,
        typer.Option("--rename", help="OLD=NEW: the prompt OLD of the file is named NEW here; may be repeated."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite prompt files that exist with another content.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be done, and do nothing.")] = False,
    project: Project = None,
    json: AsJson = False,
) -> None:
    """Import prompts: a bundle with its history into the registry, prompts of other systems as files for `sync apply`."""
    if form not in (None, BUNDLE, *READERS, PROMPTFOO):
        raise typer.BadParameter(f"--from must be {', '.join((BUNDLE, *READERS, PROMPTFOO))}")
    text = read_text(file, BUNDLE_LIMIT)
    if form == BUNDLE or (form is None and _is_bundle_text(text)):
        for option, value in (("--label", label), ("--name", name), ("--rename", rename)):
            if value:
                raise typer.BadParameter(f"{option} is for files of other systems; a bundle is imported as it is")
        _import_bundle(file, text, project, dry_run=dry_run, json=json)
        return
    imported = _foreign(file, form, _Choice(name, _renames(rename or ()), label))
    existing = prompt_paths(folder)
    paths = [existing.get(prompt.name) or path_of(folder, prompt.name) for prompt in imported]
    states = _write_prompt_files(paths, imported, force=force, dry_run=dry_run)
    if json:
        print_json(
            [
                {
                    "prompt": prompt.name,
                    "version": prompt.version,
                    "file": str(path),
                    "state": state,
                    "remarks": [
                        {"path": remark.path, "line": remark.line, "message": remark.message} for remark in prompt.remarks
                    ],
                }
                for prompt, path, state in zip(imported, paths, states, strict=True)
            ]
        )
        return
    for prompt, path, state in zip(imported, paths, states, strict=True):
        print_line(f"{'=' if state == 'same' else '+'} {prompt.name}  {path}")
        for remark in prompt.remarks:
            print_line(f"  {remark}")
    if not dry_run:
        print_line(f"next: promptuary sync plan {folder}")


def _is_bundle_text(text: str) -> bool:
    """Return whether a text starts like a bundle, so that a truncated one is reported as a bundle."""
    return text.lstrip("\ufeff \t\r\n").startswith("{") and '"promptuary-bundle' in text[:1000]


def _import_bundle(file: Path, text: str, project: str | None, *, dry_run: bool, json: bool) -> None:
    prompts = parse_bundle(parse_json(text, str(file)), str(file))
    with connect(project) as api:
        planned = plan_import(api, prompts)
        notes = [] if dry_run else apply_import(api, planned)
    if json:
        print_json([{"prompt": plan.prompt.name, "conflict": plan.conflict, "plan": plan.preview} for plan in planned])
    else:
        for plan in planned:
            print_line(plan.describe())
        for sentence in notes:
            print_line(f"  {sentence}")
    if any(plan.conflict is not None for plan in planned):
        raise typer.Exit(1)


@dataclass(frozen=True)
class _Choice:
    """What the caller chose of a foreign file: the name of its one prompt or names by names in the file, and a label."""

    name: str | None
    renames: Mapping[str, str]
    label: str | None


def _renames(assignments: Sequence[str]) -> dict[str, str]:
    renames: dict[str, str] = {}
    for assignment in assignments:
        old, _, new = assignment.rpartition("=")
        if not old or not is_name(new):
            raise typer.BadParameter(f"--rename {assignment} must be OLD=NEW, with NEW of a-z 0-9 _ . -")
        if renames.setdefault(old, new) != new:
            raise typer.BadParameter(f"--rename names {old!r} twice")
    return renames


def _foreign(file: Path, form: str | None, choice: _Choice) -> list[ImportedPrompt]:
    if form == PROMPTFOO:
        return _of_promptfoo(file, choice)
    document = parse_yaml(read_text(file), str(file))
    form = form or next((source for source, (detect, _) in READERS.items() if detect(document.value)), None)
    if form is None and isinstance(document.value, dict) and document.value.get("prompts") and not is_bundle(document.value):
        return _of_promptfoo(file, choice)
    if form is None:
        formats = "bundle" if is_bundle(document.value) else ", ".join((BUNDLE, *READERS, PROMPTFOO))
        raise InvalidFile(
            f"{file} has no format that can be imported",
            [FieldError("", f"supported formats: {formats}; choose one with --from")],
        )
    names = SourceNames(file.stem, choice.renames)
    drafts = READERS[form][1](document.value, names)
    if choice.name is not None:
        source_names = {draft.name for draft in drafts}
        if len(source_names) > 1 or choice.renames:
            raise Invalid("--name is for a file of one prompt; use --rename", [FieldError(str(file), "contains several")])
        names = SourceNames(file.stem, dict.fromkeys(source_names, choice.name))
    imported = finish_drafts(drafts, document, str(file), names)
    if not imported:
        raise InvalidFile(f"{file} contains no prompt")
    return select_versions(imported, choice.label)


def _of_promptfoo(file: Path, choice: _Choice) -> list[ImportedPrompt]:
    """Return the prompts of a promptfoo file, such as OpenAI's dashboard exports."""
    try:
        from promptuary.evaluation.promptfoo.prompt_import import read_promptfoo_prompts
    except ModuleNotFoundError as error:
        raise NotInstalled(f"promptfoo files need {error.name}; install promptuary[server,evaluation]") from None
    if choice.label is not None:
        raise typer.BadParameter("--label is for files with labels; a promptfoo file has none")
    if choice.name is not None and not is_name(choice.name):
        raise typer.BadParameter(f"--name {choice.name} must consist of a-z 0-9 _ . -")
    imported = read_promptfoo_prompts(file, SourceNames(file.stem, choice.renames))
    if choice.name is not None and len(imported) > 1:
        raise Invalid("--name is for a file of one prompt; use --rename", [FieldError(str(file), "contains several")])
    if choice.name is not None:
        imported = [replace(prompt, name=choice.name) for prompt in imported]
    if not imported:
        raise InvalidFile(f"{file} contains no prompt")
    return imported


def _write_prompt_files(paths: Sequence[Path], imported: Sequence[ImportedPrompt], *, force: bool, dry_run: bool) -> list[str]:
    """Write each prompt's file; one that exists with another content is overwritten with `force` only."""
    texts = {
        path: prompt_file_text(prompt.content, labels=prompt.labels, message=prompt.message, tags=prompt.tags)
        for path, prompt in zip(paths, imported, strict=True)
    }
    existing = {path: read_text(path) for path in texts if path.exists()}
    field_errors = [
        FieldError(str(path), "exists with another content") for path, text in existing.items() if text != texts[path]
    ]
    if field_errors and not force:
        raise Invalid("nothing was written (--force overwrites)", field_errors)
    new = {path: text for path, text in texts.items() if existing.get(path) != text}
    if not dry_run:
        write_files(new)
    return ["same" if path not in new else "updated" if path in existing else "new" for path in paths]
