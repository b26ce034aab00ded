"""`promptuary diff`: what changed between two versions, or what a file would change, and what of it breaks its callers."""

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
    file: Annotated[Path | None, typer.Option("--file", help="A prompt file: what would pushing it change?")] = None,
    called: Annotated[str | None, typer.Option("--name", help="The file's name, where its path does not say it.")] = None,
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
            found, title = _of_file(api, prompt, name or "production")
    else:
        if name is None or called is not None:
            raise Invalid("the command cannot be read", [FieldError("", "give the prompt's name, or --file FILE")])
        with connect(project) as api:
            found = api.get(f"/prompts/{path_segment(name)}/diff", **{"from": before or "production", "to": after or "latest"})
        title = f"version {found['from']['version']} → version {found['to']['version']}"
    if json:
        print_json(found)
    else:
        for text, style in _lines(found, title):
            print_styled(text, style)
    if fail_on_breaking and found["breaking"]:
        raise typer.Exit(BREAKING)


def _of_file(api: ApiClient, prompt: PromptFile, selector: str) -> tuple[dict[str, Any], str]:
    """Compare a file with a version, in the form that the service answers; `from` is null for a prompt that is new."""
    path = f"/prompts/{path_segment(prompt.name)}"
    planned = api.post(f"{path}/preview", content_body(prompt.content))
    there, number = not planned["created"], planned["version"]
    to = {"version": number if there else None, "digest": planned["digest"]}
    found: dict[str, Any] = {"name": prompt.name, "from": None, "to": to, "breaking": False, "reasons": [], "changes": []}
    if number == 1 and not there:
        return found, f"{prompt.path} is a new prompt: version 1"
    by = "version" if selector.isascii() and selector.isdecimal() else "label"
    held = api.get(path, **{by: selector})
    compared = compare_contents(content_of(held), content_of(planned["content"]), jinja2=True)  # the service takes both
    found |= {
        "from": {"version": held["version"], "digest": held["digest"]},
        "breaking": compared.breaking,
        "reasons": list(compared.reasons),
        "changes": [{**asdict(change), "breaking": change.breaking} for change in compared.changes],
    }
    return found, f"version {held['version']} → {prompt.path} ({'is' if there else 'would be'} version {number})"


# --- for people ---------------------------------------------------------------------------------------------------------


def _lines(found: dict[str, Any], title: str) -> Iterator[Line]:
    yield f"{found['name']}  {title}", "bold"
    for reason in found["reasons"]:
        yield f"breaking: {reason}", "bold red"
    if found["from"] is not None and not found["changes"]:
        yield "nothing changed", ""
    for change in found["changes"]:
        yield from _change(change)


def head(change: dict[str, Any]) -> str:
    """Say in a line what a change is about, with both sides where they are short."""
    text = f"{MARKS[change['kind']][0]} {change['path']}"
    old, new = (_shown(change[side]) for side in ("before", "after"))
    if change["diff"] is None and _is_short(old, new):
        sides = {"added": new, "removed": old, "changed": f"{old} → {new}"}
        text = f"{text}  {sides[change['kind']]}"
    return text + ("  (breaking)" if change["breaking"] else "")


def _is_short(*texts: str) -> bool:
    return all("\n" not in text and len(text) <= SHORT for text in texts)


def _change(change: dict[str, Any]) -> Iterator[Line]:
    style = MARKS[change["kind"]][1]
    old, new = (_shown(change[side]) for side in ("before", "after"))
    yield head(change), f"bold {style}"
    if change["diff"] is not None:
        yield from ((f"    {text}", STYLES.get(text[:1], "")) for text in change["diff"].split("\n"))
    elif not _is_short(old, new):
        if change["kind"] != "added":
            yield from ((f"    -{text}", "red") for text in old.split("\n"))
        if change["kind"] != "removed":
            yield from ((f"    +{text}", "green") for text in new.split("\n"))


def _shown(value: Any) -> str:
    """Give a text as it is, a message with its role before it, and anything else as JSON, indented where it is long."""
    match value:
        case str():
            return value
        case {"role": str(role), "content": str(content), **rest} if not rest:
            return f"[{role}] {content}"
        case {"role": "placeholder", "name": str(name)}:
            return f"[placeholder] <{name}>"
    text = json_text.dumps(value, ensure_ascii=False)
    return text if len(text) <= SHORT else json_text.dumps(value, ensure_ascii=False, indent=2)
