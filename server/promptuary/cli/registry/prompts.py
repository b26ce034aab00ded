"""`promptuary push | get | render | prompts`: the registry."""

import json as json_text
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from promptuary.cli.connection import ApiClient, connect, path_segment
from promptuary.cli.output import AsJson, Project, print_json, print_line, print_table
from promptuary.cli.registry.labels import describe_target
from promptuary.prompt.content import Content
from promptuary.prompt.digest import content_json
from promptuary.prompt.errors import FieldError, Invalid
from promptuary.prompt.files.prompt_file import PromptFile, prompt_name, read_prompt_file

Name = Annotated[str, typer.Argument(help="The prompt's name, as support.triage.")]
Label = Annotated[str | None, typer.Option("--label", help="A label; production without one.")]
Version = Annotated[int | None, typer.Option("--version", help="A version's number.")]


def register(api: ApiClient, prompt: PromptFile, labels: Sequence[str] | None = None, *, similar: bool = False) -> Any:
    """Register a prompt file as the prompt's next version, unless the newest is the same.

    Args:
        api: where the registry is.
        prompt: the file.
        labels: what moves to the version; by default what the file says.
        similar: whether others like it are sought, too.
    """
    moved = prompt.labels if labels is None else labels
    said = {"message": prompt.message, "tags": list(prompt.tags), "labels": list(moved)}
    query = "?similar=true" if similar else ""
    return api.post(f"/prompts/{prompt.name}/versions{query}", content_body(prompt.content) | said)


def content_body(content: Content) -> dict[str, Any]:
    """Give a content as its author wrote it in the form in which it is registered; partials are the registry's to put in."""
    return {key: value for key, value in content_json(content).items() if value is not None and key != "partials"}


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
    prompt = read_prompt_file(file, name or name_by_path(file))
    with connect(project) as api:
        local = api.parts is not None  # then a model would have to be loaded for this one command
        version = register(api, prompt, similar=not local if similar is None else similar)
    for warning in version.get("warnings", []):
        typer.echo(f"warning: {warning['detail']}", err=True)
    if json:
        print_json(version)
    else:
        print_line(f"{version['name']}  version {version['version']}  {version['digest']}  {' '.join(version['labels'])}")


def name_by_path(file: Path) -> str:
    """Name a file by its path under the nearest folder `prompts`, or by its stem."""
    roots = [parent for parent in file.absolute().parents if parent.name == "prompts"]
    return prompt_name(file.absolute(), roots[0] if roots else file.absolute().parent)


def get(
    name: Name,
    label: Label = None,
    version: Version = None,
    targeting_key: Annotated[
        str | None, typer.Option("--targeting-key", help="Whom it is for, where the label is split: a user's id, a tenant.")
    ] = None,
    as_of: Annotated[str | None, typer.Option("--as-of", help="A moment in the past, as 2026-03-02T12:00:00Z.")] = None,
    project: Project = None,
    json: AsJson = False,
) -> None:
    """Look one version up, as it is found now or was at a moment."""
    with connect(project) as api:
        found = api.get(
            f"/prompts/{path_segment(name)}", label=label, version=version, targeting_key=targeting_key, as_of=as_of
        )
    if json:
        print_json(found)
        return
    print_line(f"{found['name']}  version {found['version']}  {found['digest']}  {' '.join(found['labels'])}")
    if found["split"] is not None:
        print_line(f"{found['label']} is split {describe_target(found)}; this is {found['variant']}")
    template = found["template"]
    if isinstance(template, str):
        print_line(template)
        return
    for message in template:
        print_line(f"[{message['role']}] {message.get('content') or '<' + message['name'] + '>'}")


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
        rendered = api.post(f"/prompts/{path_segment(name)}/render", body)
    if json:
        print_json(rendered)
        return
    if rendered["text"] is not None:
        print_line(rendered["text"])
    for message in rendered["messages"] or []:
        print_line(f"[{message['role']}] {message['content']}")


def _variables(given: list[str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for one in given:
        name, equals, text = one.partition("=")
        if not equals:
            raise Invalid("--var cannot be read", [FieldError(one, "must be NAME=VALUE")])
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
    search: Annotated[str | None, typer.Option("--search", help="A path_segment of the name.")] = None,
    archived: Annotated[bool, typer.Option("--archived", help="The archived prompts instead.")] = False,
    project: Project = None,
    json: AsJson = False,
) -> None:
    """List the prompts and their labels."""
    with connect(project) as api:
        found = list(api.items("/prompts", search=search, archived=archived or None))
    if json:
        print_json(found)
        return
    print_table(["prompt", "newest", "labels"], [(one["name"], one["newest"], " ".join(_labels(one))) for one in found])


def _labels(prompt: Any) -> Iterator[str]:
    """Give each label with its version, or with the versions that it is split over."""
    for label, number in prompt["labels"].items():
        split = prompt["splits"].get(label)
        yield f"{label}={number if split is None else '|'.join(str(arm['version']) for arm in split['arms'])}"
