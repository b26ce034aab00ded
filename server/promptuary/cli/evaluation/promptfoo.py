"""`promptuary eval import`: translate a promptfoo file into files of Promptuary, and report on each of its parts."""

from pathlib import Path
from typing import Annotated, Any

import typer

from promptuary.cli.atomic_files import write_files
from promptuary.cli.connection import NotInstalled
from promptuary.cli.output import AsJson, print_json, print_line
from promptuary.prompt.errors import FieldError, Invalid
from promptuary.prompt.files.prompt_file import read_text

Partial = Annotated[
    bool,
    typer.Option("--partial", help="Import the rest of a promptfoo file where parts are not supported; verdicts may differ."),
]
Judge = Annotated[str | None, typer.Option("--judge", help="The model that judges in place of a promptfoo file's graders.")]
READ_LIMIT = 2**30


def import_suite(
    file: Annotated[Path, typer.Argument(help="A promptfoo file, as promptfooconfig.yaml.")],
    folder: Annotated[Path, typer.Option("--to", help="The folder of `evals/` and `prompts/`.")] = Path("."),
    name: Annotated[str | None, typer.Option("--name", help="The suite's name; by default the file's description.")] = None,
    model: Annotated[
        list[str] | None, typer.Option("--model", help="Use these models instead of the file's providers.")
    ] = None,
    partial: Partial = False,
    judge: Judge = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite files that exist with another content.")] = False,
    json: AsJson = False,
) -> None:
    """Translate a promptfoo file into a suite, a dataset and prompts, as files, and report on each part, type by type."""
    try:
        from promptuary.evaluation.promptfoo.report import PartOutcome
        from promptuary.evaluation.promptfoo.suite_files import suite_file_texts
        from promptuary.evaluation.promptfoo.translation import UnsupportedParts, translate
    except ModuleNotFoundError as error:
        raise NotInstalled(f"promptfoo files need {error.name}; install promptuary[server,evaluation]") from None
    try:
        translation = translate(file, partial=partial, judge=judge, models=model, name=name, apart=True)
    except UnsupportedParts as error:
        if json:
            print_json(_report_json(error.report.entries, []))
        else:
            for text in error.report.lines():
                print_line(text)
        raise
    written = {folder / path: text for path, text in suite_file_texts(translation).items()}
    _write(written, force=force)
    if json:
        print_json(_report_json(translation.report.entries, [str(path) for path in written]))
        return
    for path in written:
        print_line(f"+ {path}")
    for text in translation.report.lines():
        print_line(text)
    parts = len(translation.report.of(PartOutcome.REFUSED))
    if parts:
        print_line(f"{parts} types of parts are not supported and were omitted: verdicts may differ from promptfoo's")
    suites = " ".join(str(path) for path in written if path.suffix == ".yaml" and path.parent == folder / "evals")
    print_line(f"next: promptuary sync apply {folder / 'prompts'}")
    print_line(f"      promptuary eval run {suites}")


def _report_json(entries: list[Any], files: list[str]) -> dict[str, Any]:
    return {"files": files, "report": [entry.as_value() for entry in entries]}


def _write(texts: dict[Path, str], *, force: bool) -> None:
    """Write all files or none; a file that exists with another content is overwritten with `force` only."""
    existing = {path: read_text(path, READ_LIMIT) for path in texts if path.exists()}
    field_errors = [
        FieldError(str(path), "exists with another content") for path, text in existing.items() if text != texts[path]
    ]
    if field_errors and not force:
        raise Invalid("nothing was written (--force overwrites)", field_errors)
    write_files({path: text for path, text in texts.items() if existing.get(path) != text})
