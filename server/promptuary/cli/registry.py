"""`promptuary push | get | render | label | prompts`: the registry."""

import json as json_text
from pathlib import Path
from typing import Annotated, Any

import typer

from promptuary.cli.connection import Api, connect, part
from promptuary.cli.output import AsJson, Project, as_json, line, table
from promptuary.prompt.digest import content_json
from promptuary.prompt.errors import Fault, Invalid
from promptuary.prompt.file import PromptFile, name_of, read_prompt

label_app = typer.Typer(help="Move labels, and see how they moved.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="The prompt's name, as support.triage.")]
Label = Annotated[str | None, typer.Option("--label", help="A label; production without one.")]
Version = Annotated[int | None, typer.Option("--version", help="A version's number.")]


def register(api: Api, prompt: PromptFile, *, labels: bool = True, similar: bool = False) -> Any:
    """Register a prompt file as the prompt's next version, unless the newest is the same; `similar` also seeks others."""
    said = {"message": prompt.message, "tags": list(prompt.tags), "labels": list(prompt.labels) if labels else []}
    return api.post(f"/prompts/{prompt.name}/versions" + ("?similar=true" if similar else ""), content_of(prompt) | said)


def content_of(prompt: PromptFile) -> dict[str, Any]:
    """Give a file's content as a request has it; partials are the registry's to put in."""
    return {key: value for key, value in content_json(prompt.content).items() if value is not None and key != "partials"}


def push(
    file: Annotated[Path, typer.Argument(help="A prompt file.")],
    name: Annotated[str | None, typer.Option("--name", help="Its name, where the path under prompts/ does not say it.")] = None,
    similar: Annotated[
        bool | None, typer.Option("--similar/--no-similar", help="Look for prompts that say nearly the same; a server does.")
    ] = None,
    project: Project = None,
    json: AsJson = False,
) -> None:
    """Register one prompt file; other prompts like it are told on standard error."""
    prompt = read_prompt(file, name or name_by_path(file))
    with connect(project) as api:
        local = api.parts is not None  # then a model would have to be loaded for this one command
        version = register(api, prompt, similar=not local if similar is None else similar)
    for warning in version.get("warnings", []):
        typer.echo(f"warning: {warning['detail']}", err=True)
    if json:
        as_json(version)
    else:
        line(f"{version['name']}  version {version['version']}  {version['digest']}  {' '.join(version['labels'])}")


def name_by_path(file: Path) -> str:
    """Name a file by its path under the nearest folder `prompts`, or by its stem."""
    roots = [parent for parent in file.absolute().parents if parent.name == "prompts"]
    return name_of(file.absolute(), roots[0] if roots else file.absolute().parent)


def get(name: Name, label: Label = None, version: Version = None, project: Project = None, json: AsJson = False) -> None:
    """Look one version up."""
    with connect(project) as api:
        found = api.get(f"/prompts/{part(name)}", label=label, version=version)
    if json:
        as_json(found)
        return
    line(f"{found['name']}  version {found['version']}  {found['digest']}  {' '.join(found['labels'])}")
    template = found["template"]
    if isinstance(template, str):
        line(template)
        return
    for message in template:
        line(f"[{message['role']}] {message.get('content') or '<' + message['name'] + '>'}")


def render(
    name: Name,
    var: Annotated[list[str] | None, typer.Option("--var", help="NAME=VALUE; a value that is JSON is read as JSON.")] = None,
    label: Label = None,
    version: Version = None,
    query: Annotated[str | None, typer.Option("--query", help="Look for this in the context instead.")] = None,
    project: Project = None,
    json: AsJson = False,
) -> None:
    """Render a version with variables, and with the passages that its context asks for."""
    body = {"label": label, "version": version, "variables": _variables(var or []), "query": query}
    with connect(project) as api:
        rendered = api.post(f"/prompts/{part(name)}/render", body)
    if json:
        as_json(rendered)
        return
    if rendered["text"] is not None:
        line(rendered["text"])
    for message in rendered["messages"] or []:
        line(f"[{message['role']}] {message['content']}")


def _variables(given: list[str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for one in given:
        name, equals, text = one.partition("=")
        if not equals:
            raise Invalid("--var cannot be read", [Fault(one, "must be NAME=VALUE")])
        values[name] = _json_or_text(text)
    return values


def _json_or_text(text: str) -> Any:
    """Read `[…]`, `{…}`, numbers, true, false and null as JSON; anything else is text."""
    try:
        return json_text.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError):
        return text


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def prompts(
    search: Annotated[str | None, typer.Option("--search", help="A part of the name.")] = None,
    project: Project = None,
    json: AsJson = False,
) -> None:
    """List the prompts and their labels."""
    with connect(project) as api:
        found = list(api.items("/prompts", search=search))
    if json:
        as_json(found)
        return
    labels = [" ".join(f"{label}={number}" for label, number in prompt["labels"].items()) for prompt in found]
    table(["prompt", "newest", "labels"], [(one["name"], one["newest"], text) for one, text in zip(found, labels, strict=True)])


@label_app.command("set")
def set_label(
    name: Name,
    label: Annotated[str, typer.Argument(help="The label.")],
    version: Annotated[int, typer.Argument(help="The version that it is to point at.")],
    reason: Annotated[str, typer.Option("--reason", help="Why; kept in the ledger.")] = "",
    project: Project = None,
    json: AsJson = False,
) -> None:
    """Point a label at a version."""
    with connect(project) as api:
        moved = api.put(f"/prompts/{part(name)}/labels/{part(label)}", {"version": version, "reason": reason})
    if json:
        as_json(moved)
    else:
        line(f"{name}  {label} → version {moved['version']}")


@label_app.command("history")
def history(
    name: Name,
    label: Annotated[str, typer.Argument(help="The label.")],
    project: Project = None,
    json: AsJson = False,
) -> None:
    """List a label's moves, the newest first."""
    with connect(project) as api:
        moves = list(api.items(f"/prompts/{part(name)}/labels/{part(label)}/history"))
    if json:
        as_json(moves)
        return
    rows = [(move["at"], move["previous"], move["version"], move["actor"], move["reason"]) for move in moves]
    table(["at", "from", "to", "by", "reason"], rows)


@label_app.command("rollback")
def roll_back(
    name: Name,
    label: Annotated[str, typer.Argument(help="The label.")],
    reason: Annotated[str, typer.Option("--reason", help="Why; kept in the ledger.")] = "rolled back",
    project: Project = None,
) -> None:
    """Point a label at the version it pointed at before."""
    with connect(project) as api:
        moved = api.post(f"/prompts/{part(name)}/labels/{part(label)}/rollback", {"reason": reason})
    line(f"{name}  {label} → version {moved['version']}")
