"""`promptuary diff`: the changes between two versions, or those that a file would make, and which of them break callers."""

import json as json_text
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from promptuary.cli.connection import ApiClient, connect, path_segment
from promptuary.cli.output import AsJson, Project, print_json, print_styled
from promptuary.cli.registry.prompts import content_body, name_by_path
from promptuary.cli.registry.state import content_of
from promptuary.prompt.diff.contents import compare_contents
from promptuary.prompt.errors import FieldError, Invalid
from promptuary.prompt.files.prompt_file import PromptFile, read_prompt_file
from promptuary.prompt.numbers import parse_version_number

BREAKING = 1
MARKS = {"added": ("+", "green"), "removed": ("-", "red"), "changed": ("~", "yellow")}
STYLES = {"+": "green", "-": "red", "@": "cyan", " ": ""}
SHORT = 90
Line = tuple[str, str]


def diff(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="The prompt's name; with --file, the version or label FROM.")
    ] = None,
    before: Annotated[str | None, typer.Argument(metavar="FROM", help="A version or label; production.")] = None,
    after: Annotated[str | None, typer.Argument(metavar="TO", help="A version or label; latest.")] = None,
    file: Annotated[Path | None, typer.Option("--file", help="Compare a prompt file: what would pushing it change?")] = None,
    called: Annotated[str | None, typer.Option("--name", help="The prompt's name, if not that of the file's path.")] = None,
    fail_on_breaking: Annotated[bool, typer.Option("--fail-on-breaking", help="Exit 1 where a change breaks callers.")] = False,
    project: Project = None,
    json: AsJson = False,
) -> None:
    """Compare two versions of a prompt, or a prompt file with a version."""
    if file is not None:
        if before is not None:
            raise Invalid(
                "the command cannot be read", [FieldError(before, "a file is compared with one version: --file FILE [FROM]")]
            )
        prompt = read_prompt_file(file, called or name_by_path(file))
        with connect(project) as api:
            comparison, title = _of_file(api, prompt, name or "production")
    else:
        if name is None or called is not None:
            raise Invalid("the command cannot be read", [FieldError("", "name the prompt, or pass --file FILE")])
        with connect(project) as api:
            comparison = api.get(
                f"/prompts/{path_segment(name)}/diff", **{"from": before or "production", "to": after or "latest"}
            )
        title = f"version {comparison['from']['version']} → version {comparison['to']['version']}"
    if json:
        print_json(comparison)
    else:
        for text, style in _lines(comparison, title):
            print_styled(text, style)
    if fail_on_breaking and comparison["breaking"]:
        raise typer.Exit(BREAKING)


def _of_file(api: ApiClient, prompt: PromptFile, selector: str) -> tuple[dict[str, Any], str]:
    """Compare a file with a version, in the form of the service's response; `from` is null for a new prompt."""
    path = f"/prompts/{path_segment(prompt.name)}"
    planned = api.post(f"{path}/preview", content_body(prompt.content))
    exists, number = not planned["created"], planned["version"]
    to = {"version": number if exists else None, "digest": planned["digest"]}
    comparison: dict[str, Any] = {"name": prompt.name, "from": None, "to": to, "breaking": False, "reasons": [], "changes": []}
    if number == 1 and not exists:
        return comparison, f"{prompt.path} is a new prompt: version 1"
    by = "version" if parse_version_number(selector) is not None else "label"
    stored = api.get(path, **{by: selector})
    compared = compare_contents(content_of(stored), content_of(planned["content"]), jinja2=True)  # the service accepts both
    comparison |= {
        "from": {"version": stored["version"], "digest": stored["digest"]},
        "breaking": compared.breaking,
        "reasons": list(compared.reasons),
        "changes": [{**asdict(change), "breaking": change.breaking} for change in compared.changes],
    }
    return comparison, f"version {stored['version']} → {prompt.path} ({'is' if exists else 'would be'} version {number})"


# --- text output ---------------------------------------------------------------------------------------------------------


def _lines(comparison: dict[str, Any], title: str) -> Iterator[Line]:
    yield f"{comparison['name']}  {title}", "bold"
    for reason in comparison["reasons"]:
        yield f"breaking: {reason}", "bold red"
    if comparison["from"] is not None and not comparison["changes"]:
        yield "nothing changed", ""
    for change in comparison["changes"]:
        yield from _change(change)


def head(change: dict[str, Any]) -> str:
    """Return a change as a line, with both sides where they are short."""
    text = f"{MARKS[change['kind']][0]} {change['path']}"
    old, new = (_as_text(change[side]) for side in ("before", "after"))
    if change["diff"] is None and _is_short(old, new):
        sides = {"added": new, "removed": old, "changed": f"{old} → {new}"}
        text = f"{text}  {sides[change['kind']]}"
    return text + ("  (breaking)" if change["breaking"] else "")


def _is_short(*texts: str) -> bool:
    return all("\n" not in text and len(text) <= SHORT for text in texts)


def _change(change: dict[str, Any]) -> Iterator[Line]:
    style = MARKS[change["kind"]][1]
    old, new = (_as_text(change[side]) for side in ("before", "after"))
    yield head(change), f"bold {style}"
    if change["diff"] is not None:
        yield from ((f"    {text}", STYLES.get(text[:1], "")) for text in change["diff"].split("\n"))
    elif not _is_short(old, new):
        if change["kind"] != "added":
            yield from ((f"    -{text}", "red") for text in old.split("\n"))
        if change["kind"] != "removed":
            yield from ((f"    +{text}", "green") for text in new.split("\n"))


def _as_text(value: Any) -> str:
    """Return a text unchanged, a message with its role, and anything else as JSON, indented where it is long."""
    match value:
        case str():
            return value
        case {"role": str(role), "content": str(content), **rest} if not rest:
            return f"[{role}] {content}"
        case {"role": "placeholder", "name": str(name)}:
            return f"[placeholder] <{name}>"
    text = json_text.dumps(value, ensure_ascii=False)
    return text if len(text) <= SHORT else json_text.dumps(value, ensure_ascii=False, indent=2)
