"""`promptuary push | get | render | prompts`: register, look up, render and list prompts."""

import json as json_text
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from promptuary.cli.connection import ApiClient, connect, path_segment
from promptuary.cli.number_parsers import integer
from promptuary.cli.output import AsJson, Project, print_content, print_json, print_line, print_notice, print_table
from promptuary.cli.registry.labels import describe_target
from promptuary.cli.registry.state import RegistryState, content_of
from promptuary.prompt.content import Content
from promptuary.prompt.digest import content_json
from promptuary.prompt.errors import FieldError, Invalid
from promptuary.prompt.files.prompt_file import PromptFile, prompt_name, read_prompt_file
from promptuary.prompt.messages.readable_text import message_text
from promptuary.prompt.text_values import enum_value, json_form

Name = Annotated[str, typer.Argument(help="The prompt's name, such as support.triage.")]
Label = Annotated[str | None, typer.Option("--label", help="A label; production by default.")]
Version = Annotated[int | None, typer.Option("--version", help="A version's number.", parser=integer, metavar="INTEGER")]


def register(api: ApiClient, prompt: PromptFile, labels: Sequence[str] | None = None, *, similar: bool = False) -> Any:
    """Register a prompt file as the prompt's next version, unless the newest has the same content.

    Args:
        api: the service.
        prompt: the file.
        labels: the labels to move to the version; by default those of the file.
        similar: whether to search for similar prompts as well.
    """
    moved = prompt.labels if labels is None else labels
    details: dict[str, Any] = {"message": prompt.message, "labels": list(moved)}
    if prompt.tags:  # a file without tags keeps those of a version with its content
        details["tags"] = list(prompt.tags)
    if prompt.given_name is not None:
        details["given_name"] = prompt.given_name
    query = "?similar=true" if similar else ""
    return api.post(f"/prompts/{prompt.name}/versions{query}", content_body(prompt.content) | details)


def content_body(content: Content) -> dict[str, Any]:
    """Return a content as the body of a registration. Partials are omitted: the registry resolves them."""
    return {key: value for key, value in content_json(content).items() if value is not None and key != "partials"}


def push(
    file: Annotated[Path, typer.Argument(help="A prompt file.")],
    name: Annotated[
        str | None, typer.Option("--name", help="The prompt's name, if not that of its path under prompts/.")
    ] = None,
    similar: Annotated[
        bool | None, typer.Option("--similar/--no-similar", help="Search for similar prompts; by default with a server only.")
    ] = None,
    supersede: Annotated[
        bool, typer.Option("--supersede", help="Register the content although a version that had it was erased.")
    ] = False,
    project: Project = None,
    json: AsJson = False,
) -> None:
    """Register one prompt file; print similar prompts to standard error."""
    prompt = read_prompt_file(file, name or name_by_path(file))
    with connect(project) as api:
        if not supersede:
            _refuse_erased_content(api, prompt)
        local = api.services is not None  # this one command would have to load a model
        version = register(api, prompt, similar=not local if similar is None else similar)
    for warning in version.get("warnings", []):
        print_notice(f"warning: {warning['detail']}")
    if json:
        print_json(version)
    else:
        print_line(f"{version['name']}  version {version['version']}  {version['digest']}  {' '.join(version['labels'])}")


def _refuse_erased_content(api: ApiClient, prompt: PromptFile) -> None:
    """Check that no version of the prompt with the file's content was erased.

    Raises:
        Invalid: naming the version, and what registers the content nevertheless.
    """
    preview = api.post(f"/prompts/{prompt.name}/preview", content_body(prompt.content))
    if not preview["created"] or preview["version"] == 1:
        return
    erased = RegistryState(api).erased_versions(prompt.name)
    numbers = [number for number, digest in erased.items() if digest == preview["digest"]]
    if numbers:
        raise Invalid(
            "nothing was registered",
            [
                FieldError(
                    str(prompt.path),
                    f"has the content of version {max(numbers)} of '{prompt.name}', which was erased; change it, or register "
                    "it again with --supersede",
                )
            ],
        )


def name_by_path(file: Path) -> str:
    """Return a prompt's name by the file's path under the nearest folder `prompts`, or by its stem."""
    roots = [parent for parent in file.absolute().parents if parent.name == "prompts"]
    return prompt_name(file.absolute(), roots[0] if roots else file.absolute().parent)


def get(
    name: Name,
    label: Label = None,
    version: Version = None,
    targeting_key: Annotated[
        str | None, typer.Option("--targeting-key", help="The user or tenant, where the label is split.")
    ] = None,
    as_of: Annotated[str | None, typer.Option("--as-of", help="A time in the past, such as 2026-03-02T12:00:00Z.")] = None,
    project: Project = None,
    json: AsJson = False,
) -> None:
    """Get one version, as a lookup returns it now or would have at a time in the past."""
    with connect(project) as api:
        response = api.get(
            f"/prompts/{path_segment(name)}", label=label, version=version, targeting_key=targeting_key, as_of=as_of
        )
    if json:
        print_json(response)
        return
    print_line(f"{response['name']}  version {response['version']}  {response['digest']}  {' '.join(response['labels'])}")
    if response["split"] is not None:
        print_line(f"{response['label']} is split {describe_target(response)}; this is {response['variant']}")
    template = response["template"]
    if isinstance(template, str):
        print_content(template)
        return
    for message in template:
        print_content(_message_line(message))


def render(
    name: Name,
    var: Annotated[
        list[str] | None, typer.Option("--var", help="NAME=VALUE, by the declared type; JSON for lists and objects.")
    ] = None,
    label: Label = None,
    version: Version = None,
    query: Annotated[str | None, typer.Option("--query", help="Search the context for this instead.")] = None,
    project: Project = None,
    json: AsJson = False,
) -> None:
    """Render a version with variables, and with the passages that its context retrieves."""
    texts = _assigned_texts(var or [])
    with connect(project) as api:
        path = f"/prompts/{path_segment(name)}"
        values = _values(texts, content_of(api.get(path, label=label, version=version))) if texts else {}
        body = {"label": label, "version": version, "variables": values, "query": query}
        rendered = api.post(f"{path}/render", body)
    if json:
        print_json(rendered)
        return
    if rendered["text"] is not None:
        print_content(rendered["text"])
    for message in rendered["messages"] or []:
        print_content(_message_line(message))


def _message_line(message: Mapping[str, Any]) -> str:
    """Return a message for people, after its role and name; a placeholder is its name."""
    if message["role"] == "placeholder":
        return f"[placeholder] <{message['name']}>"
    who = " ".join(filter(None, [message["role"], message.get("name")]))
    return f"[{who}] {message_text(message)}"


def _assigned_texts(assignments: Sequence[str]) -> dict[str, str]:
    texts: dict[str, str] = {}
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if not equals:
            raise Invalid("--var cannot be read", [FieldError(assignment, "must be NAME=VALUE")])
        if name in texts:
            raise Invalid("--var cannot be read", [FieldError(name, "is assigned twice")])
        texts[name] = text
    return texts


def _values(texts: Mapping[str, str], content: Content) -> dict[str, Any]:
    """Return the values that some texts have by the declarations of a prompt; a text stays for a variable of type string.

    A variable with an enum and no type takes the value for which the text stands. One with neither takes a list, an object,
    true, false and null as JSON, and a number that JSON writes in the same way; any other text stays.

    Raises:
        Invalid: with the type of each variable whose text is none of its values.
    """
    values: dict[str, Any] = {}
    field_errors: list[FieldError] = []
    placeholders = content.placeholders()
    for name, text in texts.items():
        variable = content.variables.get(name)
        form = json_form(variable, placeholder=name in placeholders)
        if form is None and variable is not None and variable.type is None and variable.enum is not None:
            values[name] = enum_value(variable.enum, text)
            continue
        has_text = variable is not None and variable.type == "string"
        try:
            values[name] = text if form is None and has_text else json_text.loads(text, parse_constant=_refuse_constant)
        except (ValueError, RecursionError):
            values[name] = text
            if form is not None:
                field_errors.append(FieldError(name, f"must be {form}"))
            continue
        is_number = type(values[name]) in (int, float)
        if form is None and is_number and json_text.dumps(values[name]) != text:
            values[name] = text  # 1.10 is a text: as a number it would be rendered as 1.1
    if field_errors:
        raise Invalid("--var cannot be read", field_errors)
    return values


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def prompts(
    search: Annotated[
        str | None, typer.Option("--search", help="A part of the name or of a tag, or words of the content.")
    ] = None,
    archived: Annotated[bool, typer.Option("--archived", help="List the archived prompts instead.")] = False,
    project: Project = None,
    json: AsJson = False,
) -> None:
    """List the prompts and their labels."""
    with connect(project) as api:
        prompt_list = list(api.items("/prompts", search=search or None, archived=archived or None))
    if json:
        print_json(prompt_list)
        return
    print_table(
        ["prompt", "newest", "labels"],
        [(prompt["name"], prompt["newest"], " ".join(_labels(prompt))) for prompt in prompt_list],
    )


def _labels(prompt: Any) -> Iterator[str]:
    """Yield each label with its version, or with the versions of its split."""
    for label, number in prompt["labels"].items():
        split = prompt["splits"].get(label)
        yield f"{label}={number if split is None else '|'.join(str(arm['version']) for arm in split['arms'])}"
