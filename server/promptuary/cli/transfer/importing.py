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
from promptuary.prompt.foreign.drafts import ImportChoice, ImportDraft, ImportedPrompt
from promptuary.prompt.foreign.langchain_file import is_langchain, read_langchain
from promptuary.prompt.foreign.langfuse_file import is_langfuse, read_langfuse
from promptuary.prompt.foreign.mlflow_file import is_mlflow, read_mlflow
from promptuary.prompt.foreign.phoenix_file import is_phoenix, read_phoenix
from promptuary.prompt.foreign.selection import ImportSelection, OmittedPrompt, select_prompts
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
    prompts: Annotated[
        list[str] | None, typer.Option("--prompt", help="Only this prompt, by its name in the file or here; may be repeated.")
    ] = None,
    skip_invalid: Annotated[
        bool, typer.Option("--skip-invalid", help="Leave out prompts that are not valid here, instead of importing nothing.")
    ] = False,
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
        for option, value in (
            ("--label", label),
            ("--name", name),
            ("--rename", rename),
            ("--prompt", prompts),
            ("--skip-invalid", skip_invalid),
        ):
            if value:
                raise typer.BadParameter(f"{option} is for files of other systems; a bundle is imported as it is")
        _import_bundle(file, text, project, dry_run=dry_run, json=json)
        return
    choice = ImportChoice(tuple(prompts or ()), label, skip_invalid)
    selection = _foreign(file, form, _Names(name, _renames(rename or ())), choice)
    imported = selection.prompts
    existing = prompt_paths(folder)
    paths = [existing.get(prompt.name) or path_of(folder, prompt.name) for prompt in imported]
    states = _write_prompt_files(paths, imported, force=force, dry_run=dry_run)
    files = [_ImportedFile(*each) for each in zip(imported, paths, states, strict=True)]
    if json:
        print_json([*(each.as_json() for each in files), *(_omitted_as_json(each) for each in selection.omitted)])
        return
    for each in files:
        print_line(f"{'=' if each.state == 'same' else '+'} {each.prompt.name}  {each.path}")
        for remark in each.prompt.remarks:
            print_line(f"  {remark}")
    for omitted in selection.omitted:
        print_line(f"! {omitted.name}  left out: {omitted.reason}")
        for field_error in omitted.field_errors:
            print_line(f"  {field_error}")
    if not dry_run:
        print_line(f"next: promptuary sync plan {folder}")


@dataclass(frozen=True)
class _ImportedFile:
    """A prompt that is imported, its file, and whether the file is new, updated or the same."""

    prompt: ImportedPrompt
    path: Path
    state: str

    def as_json(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return {
            "prompt": self.prompt.name,
            "version": self.prompt.version,
            "file": str(self.path),
            "state": self.state,
            "remarks": _as_json(self.prompt.remarks),
        }


def _omitted_as_json(prompt: OmittedPrompt) -> dict[str, Any]:
    return {
        "prompt": prompt.name,
        "version": prompt.version,
        "file": None,
        "state": "left out",
        "remarks": _as_json((FieldError("", prompt.reason), *prompt.field_errors)),
    }


def _as_json(remarks: Sequence[FieldError]) -> list[dict[str, Any]]:
    return [{"path": remark.path, "line": remark.line, "message": remark.message} for remark in remarks]


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
class _Names:
    """The names that the caller chose: that of a file's one prompt, or names by names in the file."""

    name: str | None
    renames: Mapping[str, str]


def _renames(assignments: Sequence[str]) -> dict[str, str]:
    renames: dict[str, str] = {}
    for assignment in assignments:
        old, _, new = assignment.rpartition("=")
        if not old or not is_name(new):
            raise typer.BadParameter(f"--rename {assignment} must be OLD=NEW, with NEW of a-z 0-9 _ . -")
        if renames.setdefault(old, new) != new:
            raise typer.BadParameter(f"--rename names {old!r} twice")
    return renames


def _foreign(file: Path, form: str | None, chosen: _Names, choice: ImportChoice) -> ImportSelection:
    if choice.label is not None and not choice.label:
        raise typer.BadParameter("--label is empty; leave it out for the highest versions")
    if form == PROMPTFOO:
        return _of_promptfoo(file, chosen, choice)
    document = parse_yaml(read_text(file), str(file))
    form = form or next((source for source, (detect, _) in READERS.items() if detect(document.value)), None)
    if form is None and isinstance(document.value, dict) and document.value.get("prompts") and not is_bundle(document.value):
        return _of_promptfoo(file, chosen, choice)
    if form is None:
        formats = "bundle" if is_bundle(document.value) else ", ".join((BUNDLE, *READERS, PROMPTFOO))
        raise InvalidFile(
            f"{file} has no format that can be imported",
            [FieldError("", f"supported formats: {formats}; choose one with --from")],
        )
    names = SourceNames(file.stem, chosen.renames)
    drafts = READERS[form][1](document.value, names)
    if chosen.name is not None:
        source_names = {draft.name for draft in drafts}
        if len(source_names) > 1 or chosen.renames:
            raise Invalid("--name is for a file of one prompt; use --rename", [FieldError(str(file), "contains several")])
        names = SourceNames(file.stem, dict.fromkeys(source_names, chosen.name))
    return select_prompts(drafts, document, str(file), names, choice)


def _of_promptfoo(file: Path, chosen: _Names, choice: ImportChoice) -> ImportSelection:
    """Return the prompts of a promptfoo file, such as OpenAI's dashboard exports."""
    try:
        from promptuary.evaluation.promptfoo.prompt_import import read_promptfoo_prompts
    except ModuleNotFoundError as error:
        raise NotInstalled(f"promptfoo files need {error.name}; install promptuary[server,evaluation]") from None
    if choice.label is not None:
        raise typer.BadParameter("--label is for files with labels; a promptfoo file has none")
    if chosen.name is not None and not is_name(chosen.name):
        raise typer.BadParameter(f"--name {chosen.name} must consist of a-z 0-9 _ . -")
    selection = read_promptfoo_prompts(file, SourceNames(file.stem, chosen.renames), choice)
    if chosen.name is None:
        return selection
    if len(selection.prompts) + len(selection.omitted) > 1:
        raise Invalid("--name is for a file of one prompt; use --rename", [FieldError(str(file), "contains several")])
    return replace(selection, prompts=tuple(replace(prompt, name=chosen.name) for prompt in selection.prompts))


def _write_prompt_files(paths: Sequence[Path], imported: Sequence[ImportedPrompt], *, force: bool, dry_run: bool) -> list[str]:
    """Write each prompt's file; one that exists with another content is overwritten with `force` only."""
    texts = {
        path: prompt_file_text(
            prompt.content,
            labels=prompt.labels,
            message=prompt.message,
            tags=prompt.tags,
            given_name=prompt.given_name,
        )
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
