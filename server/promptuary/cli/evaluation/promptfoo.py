"""`promptuary eval import`: a promptfoo file as files of ours, and what became of each of its parts."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from promptuary.cli.atomic_files import write_files
from promptuary.cli.connection import NotInstalled
from promptuary.cli.output import AsJson, print_json, print_line
from promptuary.prompt.errors import FieldError, Invalid
from promptuary.prompt.files.prompt_file import read_text

if TYPE_CHECKING:
    pass

Partial = Annotated[
    bool, typer.Option("--partial", help="Of a promptfoo file, take the rest where parts are refused; verdicts may change.")
]
Judge = Annotated[
    str | None, typer.Option("--judge", help="Of a promptfoo file, the model that judges, instead of its graders.")
]
READ_LIMIT = 2**30


def import_suite(
    file: Annotated[Path, typer.Argument(help="A promptfoo file, as promptfooconfig.yaml.")],
    folder: Annotated[Path, typer.Option("--to", help="Where `evals/` and `prompts/` are, or are to be.")] = Path("."),
    name: Annotated[str | None, typer.Option("--name", help="The suite's name; by default the file's description.")] = None,
    model: Annotated[list[str] | None, typer.Option("--model", help="Instead of the file's providers.")] = None,
    partial: Partial = False,
    judge: Judge = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite files that are there and different.")] = False,
    json: AsJson = False,
) -> None:
    """Turn a promptfoo file into a suite, a dataset and prompts, as files; tell what became of each part, type by type."""
    try:
        from promptuary.evaluation.promptfoo.report import PartOutcome
        from promptuary.evaluation.promptfoo.suite_files import suite_file_texts
        from promptuary.evaluation.promptfoo.translation import UnsupportedParts, translate
    except ModuleNotFoundError as error:
        raise NotInstalled(f"promptfoo files need {error.name}; install promptuary[server,evaluation]") from None
    try:
        made = translate(file, partial=partial, judge=judge, models=model, name=name, apart=True)
    except UnsupportedParts as error:
        if json:
            print_json(_report_json(error.report.entries, []))
        else:
            for text in error.report.lines():
                print_line(text)
        raise
    written = {folder / path: text for path, text in suite_file_texts(made).items()}
    _write(written, force=force)
    if json:
        print_json(_report_json(made.report.entries, [str(path) for path in written]))
        return
    for path in written:
        print_line(f"+ {path}")
    for text in made.report.lines():
        print_line(text)
    parts = len(made.report.of(PartOutcome.REFUSED))
    if parts:
        print_line(f"{parts} kinds of parts were refused and left out: verdicts may be others than promptfoo's")
    suites = " ".join(str(path) for path in written if path.suffix == ".yaml" and path.parent == folder / "evals")
    print_line(f"next: promptuary sync apply {folder / 'prompts'}")
    print_line(f"      promptuary eval run {suites}")


def _report_json(entries: "list[Any]", files: list[str]) -> dict[str, Any]:
    return {"files": files, "report": [entry.as_value() for entry in entries]}


def _write(texts: dict[Path, str], *, force: bool) -> None:
    """Write files all or none; what is there and different is overwritten with `force` only."""
    there = {path: read_text(path, READ_LIMIT) for path in texts if path.exists()}
    field_errors = [FieldError(str(path), "is there and different") for path, text in there.items() if text != texts[path]]
    if field_errors and not force:
        raise Invalid("nothing was written (--force overwrites)", field_errors)
    write_files({path: text for path, text in texts.items() if there.get(path) != text})
