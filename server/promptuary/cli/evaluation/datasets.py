"""`promptuary dataset list | get`: the datasets of the registry, and their cases as a file for suites."""

import json as json_module
from pathlib import Path
from typing import Annotated

import typer

from promptuary.cli.atomic_files import atomic_write
from promptuary.cli.connection import connect, path_segment
from promptuary.cli.number_parsers import integer
from promptuary.cli.output import AsJson, Project, print_json, print_notice, print_table
from promptuary.prompt.errors import Invalid

COLUMNS = ("dataset", "version", "cases", "created", "author")
SUFFIXES = (".jsonl", ".ndjson")
HELP = "Datasets of the registry, and their cases as a file."
app = typer.Typer(help=HELP, no_args_is_help=True)


@app.command("list")
def list_datasets(project: Project = None, json: AsJson = False) -> None:
    """List the datasets, each by its newest version."""
    with connect(project) as api:
        datasets = list(api.items("/datasets"))
    if json:
        print_json(datasets)
        return
    rows = [
        (dataset["name"], dataset["version"], dataset["cases"], dataset["created_at"], dataset["author"])
        for dataset in datasets
    ]
    print_table(COLUMNS, rows)


@app.command("get")
def get_dataset(
    name: Annotated[str, typer.Argument(help="The dataset.")],
    version: Annotated[
        int | None,
        typer.Option("--version", help="A version; the newest by default.", parser=integer, metavar="INTEGER"),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The file to write, such as evals/datasets/NAME.jsonl.")
    ] = None,
    project: Project = None,
) -> None:
    """Print the cases of a dataset as JSON lines, which a suite's `dataset:` reads; weights and metadata stay."""
    if output is not None and output.suffix not in SUFFIXES:
        raise Invalid(f"cases are written as JSON lines: name a file that ends in {' or '.join(SUFFIXES)}, not {output.name}")
    with connect(project) as api:
        path = f"/datasets/{path_segment(name)}"
        number = version or api.get(path, limit=1)["version"]  # all pages are of one version, whatever is stored meanwhile
        lines = [json_module.dumps(case, ensure_ascii=False) for case in api.items(path, version=number)]
    if output is None:
        for line in lines:
            typer.echo(line)
        return
    with atomic_write(output) as file:
        file.writelines(f"{line}\n".encode() for line in lines)
    print_notice(f"{output}: {len(lines)} cases of {name} v{number}")


@app.callback(help=HELP)
def dataset() -> None:
    """Run one of the commands."""
