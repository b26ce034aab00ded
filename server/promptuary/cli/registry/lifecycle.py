"""`promptuary uses | renew | archive | restore`: what depends on a prompt, and what becomes of it."""

from typing import Annotated

import typer

from promptuary.cli.connection import connect, path_segment
from promptuary.cli.output import AsJson, Project, print_json, print_line, print_table

Name = Annotated[str, typer.Argument(help="The prompt's name, as support.triage.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; kept with the change.")]


def uses(name: Name, project: Project = None, json: AsJson = False) -> None:
    """List the versions in use that include a prompt, each with the newer version that `renew` would give it."""
    with connect(project) as api:
        found = api.get(f"/prompts/{path_segment(name)}/dependents")["dependents"]
    if json:
        print_json(found)
    elif not found:
        print_line(f"no version in use includes {name}")
    else:
        rows = [(one["prompt"], one["version"], one["reference"], one["pinned"], one["offered"]) for one in found]
        print_table(["prompt", "version", "includes", "has", "could have"], rows)


def renew(
    name: Name,
    message: Annotated[str | None, typer.Option("--message", help="Why the new version exists.")] = None,
    project: Project = None,
    json: AsJson = False,
) -> None:
    """Register a prompt's newest version again with what it includes by now; no label moves."""
    with connect(project) as api:
        before = api.get(f"/prompts/{path_segment(name)}", label="latest")
        renewed = api.post(f"/prompts/{path_segment(name)}/renew", {"message": message})
    if json:
        print_json(renewed)
    elif renewed["version"] == before["version"]:
        print_line(f"{name}  version {renewed['version']} has the newest of what it includes")
    else:
        pinned = {include["reference"]: include["version"] for include in before["includes"]}
        news = [
            f"{include['reference']} {pinned.get(include['reference'], '')} → {include['version']}"
            for include in renewed["includes"]
            if pinned.get(include["reference"]) != include["version"]
        ]
        print_line(f"{name}  version {renewed['version']}  {', '.join(news)}")


def archive(name: Name, reason: Reason = "", project: Project = None, json: AsJson = False) -> None:
    """Hide a prompt: its labels no longer answer, lists leave it out; nothing is deleted."""
    with connect(project) as api:
        archived = api.post(f"/prompts/{path_segment(name)}/archive", {"reason": reason})
    if json:
        print_json(archived)
    else:
        print_line(f"{name}  archived; its versions still answer by their numbers")


def restore(name: Name, reason: Reason = "", project: Project = None, json: AsJson = False) -> None:
    """Bring an archived prompt back as it was."""
    with connect(project) as api:
        restored = api.post(f"/prompts/{path_segment(name)}/restore", {"reason": reason})
    if json:
        print_json(restored)
    else:
        print_line(f"{name}  restored; newest version {restored['newest']}")
