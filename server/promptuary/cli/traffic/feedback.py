"""The commands `promptuary feedback add | list`."""

from typing import Annotated, Any

import typer

from promptuary.cli.connection import connect
from promptuary.cli.number_parsers import decimal, integer
from promptuary.cli.output import AsJson, Project, print_json, print_line, print_table
from promptuary.prompt.errors import FieldError, Invalid

app = typer.Typer(help="Feedback on versions in production.", no_args_is_help=True)
VERSION_HELP = "The version; by default the one under --label."


@app.command("add")
def add_feedback(
    prompt: Annotated[str, typer.Argument(help="The prompt's name.")],
    value: Annotated[float, typer.Argument(help="From 0 to 1.", parser=decimal, metavar="NUMBER")],
    version: Annotated[int | None, typer.Option("--version", help=VERSION_HELP, parser=integer, metavar="INTEGER")] = None,
    label: Annotated[str, typer.Option("--label", help="The label whose version is meant.")] = "production",
    observation: Annotated[
        str | None, typer.Option("--observation", help="The call: its observation's id, or the provider's response id.")
    ] = None,
    comment: Annotated[str | None, typer.Option("--comment", help="A text.")] = None,
    correction: Annotated[str | None, typer.Option("--correction", help="What the answer should have been.")] = None,
    name: Annotated[str | None, typer.Option("--name", help="Of what is rated; left out for the answer as a whole.")] = None,
    identifier: Annotated[str | None, typer.Option("--id", help="Of your earlier feedback, which this one replaces.")] = None,
    project: Project = None,
    json: AsJson = False,
) -> None:
    """Add feedback on a version, or replace your own."""
    if not 0 <= value <= 1:
        raise Invalid("the feedback cannot be used", [FieldError("VALUE", "must be a number from 0 to 1")])
    body: dict[str, Any] = {"prompt": prompt, "value": value, "observation": observation, "comment": comment}
    body |= {"correction": correction, "name": name, "id": identifier}
    with connect(project) as api:
        if version is None:
            body["prompt_label"] = label
            version = int(api.get(f"/prompts/{prompt}", label=label)["version"])
        stored = api.post("/feedback", {**body, "version": version})
    if json:
        print_json(stored)
        return
    print_line(f"{stored['id']}: {stored['value']:g} for version {stored['version']} of {stored['prompt']}")


@app.command("list")
def list_feedback(
    prompt: Annotated[str | None, typer.Argument(help="The prompt's name; by default all prompts.")] = None,
    version: Annotated[
        int | None, typer.Option("--version", help="Only this version.", parser=integer, metavar="INTEGER")
    ] = None,
    below: Annotated[
        float | None, typer.Option("--below", help="Only values below this one.", parser=decimal, metavar="NUMBER")
    ] = None,
    name: Annotated[str | None, typer.Option("--name", help="Only of this name.")] = None,
    limit: Annotated[int, typer.Option("--limit", help="How many, the newest first.", parser=integer, metavar="INTEGER")] = 50,
    project: Project = None,
    json: AsJson = False,
) -> None:
    """List feedback, the newest first."""
    with connect(project) as api:
        items = api.get("/feedback", prompt=prompt, version=version, below=below, name=name, limit=limit)["items"]
    if json:
        print_json(items)
        return
    columns = ["at", "prompt", "version", "value", "name", "comment", "id"]
    print_table(columns, [[_cell(item[column]) for column in columns] for item in items])


def _cell(value: Any) -> Any:
    return "" if value is None else value
