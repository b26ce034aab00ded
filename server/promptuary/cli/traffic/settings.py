"""`promptuary traffic settings get | set`: what is sampled of a project's traffic, and how long it is stored."""

import json as json_format
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from promptuary.cli.connection import ApiClient, ApiRefused, connect
from promptuary.cli.output import AsJson, Project, print_json, print_line, print_table
from promptuary.prompt.errors import FieldError, Invalid

PATH = "/traffic/settings"
DEFAULT = "default"
TRIES = 5
"""How often a change is tried while others change the settings at the same time."""
app = typer.Typer(help="What is sampled of the project's traffic, and how long it is stored.", no_args_is_help=True)


@app.command("get")
def get_settings(project: Project = None, json: AsJson = False) -> None:
    """Show the settings that count, which of them are the project's own, and the rules for calls without a prompt."""
    with connect(project) as api:
        settings = api.get(PATH)
    _print(settings, json=json)


@app.command("set")
def set_settings(
    values: Annotated[
        list[str] | None,
        typer.Argument(help="NAME=VALUE, such as sample=0.1 or days=7; NAME=default takes the service's again."),
    ] = None,
    rules: Annotated[
        Path | None, typer.Option("--rules", help="A JSON file with the list of rules, which replaces the present ones.")
    ] = None,
    project: Project = None,
    json: AsJson = False,
) -> None:
    """Change settings of the project; those that are not named stay as they are."""
    changes = dict(_parse(value) for value in values or ())
    new_rules = None if rules is None else _read_rules(rules)
    with connect(project) as api:
        settings = _change(api, changes, new_rules)
    _print(settings, json=json)


def _change(api: ApiClient, changes: Mapping[str, Any], new_rules: Any) -> Any:
    """Change what is named, and keep the rest as it is, also where somebody else changes it at the same time."""
    for tries_left in reversed(range(TRIES)):
        present, tag = api.get_with_tag(PATH)
        own = {name: value for name, value in (present["settings"] | changes).items() if value is not None}
        present_rules = [{name: value for name, value in rule.items() if value is not None} for rule in present["rules"]]
        body = {"settings": own, "rules": present_rules if new_rules is None else new_rules}
        try:
            return api.put_if(PATH, body, tag)
        except ApiRefused as error:
            if error.code != "precondition_failed" or not tries_left:
                raise
    raise AssertionError("the last try returns or raises")


def _parse(text: str) -> tuple[str, Any]:
    """Return the name and the value of an argument: a number, a word, or None for the service's."""
    name, separator, value = text.partition("=")
    if not separator or not name:
        raise Invalid("the settings cannot be changed", [FieldError(text, "is not NAME=VALUE, such as sample=0.1")])
    if value == DEFAULT:
        return name, None
    try:
        number = json_format.loads(value)
    except ValueError:
        return name, value
    return name, number if isinstance(number, int | float) and not isinstance(number, bool) else value


def _read_rules(path: Path) -> Any:
    try:
        return json_format.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Invalid("the rules cannot be read", [FieldError(str(path), str(error))]) from None


def _print(settings: Any, *, json: bool) -> None:
    if json:
        print_json(settings)
        return
    rows = [
        (name, value, "project" if settings["settings"][name] is not None else "service")
        for name, value in settings["effective"].items()
    ]
    print_table(["setting", "value", "from"], rows)
    for number, rule in enumerate(settings["rules"], 1):
        conditions = {name: value for name, value in rule.items() if name != "prompt" and value not in (None, {})}
        print_line(f"rule {number}: {json_format.dumps(conditions, ensure_ascii=False)} → {rule['prompt']}")
