"""`promptuary uses | renew | archive | restore | erase`: dependents, renewal, archiving, and the erasure of a version."""

from typing import Annotated

import typer

from promptuary.cli.connection import connect, path_segment
from promptuary.cli.number_parsers import integer
from promptuary.cli.output import AsJson, Project, print_json, print_line, print_table

Name = Annotated[str, typer.Argument(help="The prompt's name, such as support.triage.")]
Reason = Annotated[str, typer.Option("--reason", help="The reason; stored with the change.")]


def uses(name: Name, project: Project = None, json: AsJson = False) -> None:
    """List the versions in use that include a prompt, each with the newer version that `renew` would include."""
    with connect(project) as api:
        dependents = api.get(f"/prompts/{path_segment(name)}/dependents")["dependents"]
    if json:
        print_json(dependents)
    elif not dependents:
        print_line(f"no version in use includes {name}")
    else:
        rows = [
            (dependent["prompt"], dependent["version"], dependent["reference"], dependent["pinned"], dependent["offered"])
            for dependent in dependents
        ]
        print_table(["prompt", "version", "includes", "has", "could have"], rows)


def renew(
    name: Name,
    message: Annotated[str | None, typer.Option("--message", help="Why the new version exists.")] = None,
    project: Project = None,
    json: AsJson = False,
) -> None:
    """Register a prompt's newest version again with the present versions of what it includes; no label moves."""
    with connect(project) as api:
        before = api.get(f"/prompts/{path_segment(name)}", label="latest")
        renewed = api.post(f"/prompts/{path_segment(name)}/renew", {"message": message})
    if json:
        print_json(renewed)
    elif renewed["version"] == before["version"]:
        print_line(f"{name}  version {renewed['version']} has the newest of what it includes")
    else:
        pinned = {include["reference"]: include["version"] for include in before["includes"]}
        updates = [
            f"{include['reference']} {pinned.get(include['reference'], '')} → {include['version']}"
            for include in renewed["includes"]
            if pinned.get(include["reference"]) != include["version"]
        ]
        print_line(f"{name}  version {renewed['version']}  {', '.join(updates)}")


def archive(name: Name, reason: Reason = "", project: Project = None, json: AsJson = False) -> None:
    """Archive a prompt: its labels no longer resolve and lists omit it; nothing is deleted."""
    with connect(project) as api:
        archived = api.post(f"/prompts/{path_segment(name)}/archive", {"reason": reason})
    if json:
        print_json(archived)
    else:
        print_line(f"{name}  archived; its versions can still be looked up by number")


def restore(name: Name, reason: Reason = "", project: Project = None, json: AsJson = False) -> None:
    """Restore an archived prompt."""
    with connect(project) as api:
        restored = api.post(f"/prompts/{path_segment(name)}/restore", {"reason": reason})
    if json:
        print_json(restored)
    else:
        print_line(f"{name}  restored; newest version {restored['newest']}")


def erase(
    name: Name,
    version: Annotated[int, typer.Argument(help="The version's number.", parser=integer, metavar="VERSION")],
    reason: Annotated[str, typer.Option("--reason", help="Why; stored in the audit chain.")],
    labelled: Annotated[
        bool, typer.Option("--labelled", help="Also where labels point at it; lookups by them are refused from then on.")
    ] = False,
    including: Annotated[
        bool, typer.Option("--including", help="Erase the versions that include it, too; they contain its text.")
    ] = False,
    project: Project = None,
    json: AsJson = False,
) -> None:
    """Erase the content of a version for good; number, digest and history stay. For operators."""
    body = {"reason": reason, "labelled": labelled, "including": including}
    with connect(project) as api:
        erasure = api.post(f"/prompts/{path_segment(name)}/versions/{version}/erase", body)
    if json:
        print_json(erasure)
        return
    for erased in erasure["erased"]:
        print_line(f"{erased['name']}  version {erased['version']} erased")
    removed = ", ".join(f"{count} {thing.replace('_', ' ')}" for thing, count in erasure["removed"].items() if count)
    print_line(f"removed with it: {removed or 'nothing'}")
    print_line(f"files: {erasure['storage']['detail']}")
    for thing, entries in (("label now refused", erasure["labels"]), ("same content, not erased", erasure["same_content"])):
        for entry in entries:
            print_line(f"{thing}: {entry}")
    backups = erasure["backups"]
    for sentence in (*erasure["remaining"], f"{backups['detail']} ({backups['from']} to {backups['until']})"):
        print_line(f"not erased: {sentence}")
