"""`promptuary eval import`: a promptfoo file as files of ours, and what became of each of its parts."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from promptuary.cli.connection import NotInstalled
from promptuary.cli.output import AsJson, as_json, line
from promptuary.cli.written import write_all
from promptuary.prompt.errors import Fault, Invalid
from promptuary.prompt.file import read_text

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
        from promptuary.evaluation.promptfoo.report import Fate
        from promptuary.evaluation.promptfoo.translation import NotCarried, translate
        from promptuary.evaluation.promptfoo.writing import texts
    except ModuleNotFoundError as error:
        raise NotInstalled(f"promptfoo files need {error.name}; install promptuary[server,evaluation]") from None
    try:
        made = translate(file, partial=partial, judge=judge, models=model, name=name, apart=True)
    except NotCarried as error:
        if json:
            as_json(_told(error.report.entries, []))
        else:
            for text in error.report.lines():
                line(text)
        raise
    written = {folder / path: text for path, text in texts(made).items()}
    _write(written, force=force)
    if json:
        as_json(_told(made.report.entries, [str(path) for path in written]))
        return
    for path in written:
        line(f"+ {path}")
    for text in made.report.lines():
        line(text)
    parts = len(made.report.of(Fate.REFUSED))
    if parts:
        line(f"{parts} kinds of parts were refused and left out: verdicts may be others than promptfoo's")
    suites = " ".join(str(path) for path in written if path.suffix == ".yaml" and path.parent == folder / "evals")
    line(f"next: promptuary sync apply {folder / 'prompts'}")
    line(f"      promptuary eval run {suites}")


def _told(entries: "list[Any]", files: list[str]) -> dict[str, Any]:
    return {"files": files, "report": [entry.as_value() for entry in entries]}


def _write(texts: dict[Path, str], *, force: bool) -> None:
    """Write files all or none; what is there and different is overwritten with `force` only."""
    there = {path: read_text(path, READ_LIMIT) for path in texts if path.exists()}
    faults = [Fault(str(path), "is there and different") for path, text in there.items() if text != texts[path]]
    if faults and not force:
        raise Invalid("nothing was written (--force overwrites)", faults)
    write_all({path: text for path, text in texts.items() if there.get(path) != text})
