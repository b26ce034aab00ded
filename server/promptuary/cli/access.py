"""`promptuary key create | list | revoke` and `promptuary audit head | verify`: API keys and the audit chain."""

import json as json_module
import re
from pathlib import Path
from typing import Annotated, Any

import typer

from promptuary.cli.connection import connect, path_segment
from promptuary.cli.number_parsers import integer
from promptuary.cli.output import AsJson, Project, print_json, print_line, print_table
from promptuary.prompt.errors import FieldError, Invalid
from promptuary.prompt.files.prompt_file import read_text

_HEAD_LINE = re.compile(r"([0-9]{1,18}) (sha256:[0-9a-f]{64})")

key_app = typer.Typer(help="Create, list and revoke API keys.", no_args_is_help=True)
audit_app = typer.Typer(help="The audit chain.", no_args_is_help=True)


@key_app.command("create")
def create(
    name: Annotated[str, typer.Argument(help="The key's display name.")],
    role: Annotated[str, typer.Option("--role", help="reader, reviewer, ci, author, admin or operator.")],
    days: Annotated[
        int | None, typer.Option("--days", help="Days after which it expires.", parser=integer, metavar="INTEGER")
    ] = None,
    project: Project = None,
    json: AsJson = False,
) -> None:
    """Create a key. It is printed only now; the service stores a hash of it."""
    with connect(project) as api:
        created_key = api.post("/keys", {"name": name, "role": role, "days": days})
    if json:
        print_json(created_key)
    else:
        print_line(created_key["key"])


@key_app.command("list")
def list_keys(project: Project = None, json: AsJson = False) -> None:
    """List the project's keys."""
    with connect(project) as api:
        keys = list(api.items("/keys"))
    if json:
        print_json(keys)
        return
    rows = [(key["id"], key["name"], key["role"], key["created_at"], key["expires_at"], key["revoked_at"]) for key in keys]
    print_table(["id", "name", "role", "created", "expires", "revoked"], rows)


@key_app.command("revoke")
def revoke(key: Annotated[str, typer.Argument(metavar="ID", help="The key's id.")], project: Project = None) -> None:
    """Revoke a key now."""
    with connect(project) as api:
        api.delete(f"/keys/{path_segment(key)}")
    print_line(f"key {key} is revoked")


@audit_app.command("head")
def head(project: Project = None, json: AsJson = False) -> None:
    """Print the head of the chain: its length and its last row's digest. Keep it outside of the service's database."""
    with connect(project) as api:
        chain_head = api.get("/audit/head")
    if json:
        print_json(chain_head)
    else:
        print_line(f"{chain_head['sequence']} {chain_head['digest']}")


@audit_app.command("verify")
def verify(
    against: Annotated[
        Path | None, typer.Option("--against", metavar="FILE", help="A head that was kept: what `audit head` printed.")
    ] = None,
    project: Project = None,
    json: AsJson = False,
) -> None:
    """Verify the whole chain; exit 1 where it is broken. With a kept head, a tail that was cut is found in any case."""
    kept_head = {} if against is None else _read_kept_head(against)
    with connect(project) as api:
        if kept_head.get("project") is not None and kept_head["project"] != (actual := api.get("/audit/head")["project"]):
            raise Invalid(
                f"{against} cannot be used",
                [FieldError("project", f"the head is of the project '{kept_head['project']}', this one is '{actual}'")],
            )
        result = api.get("/audit/verify", sequence=kept_head.get("sequence"), digest=kept_head.get("digest"))
    if json:
        print_json(result)
    elif result["broken_at"] is None:
        contained = f", with row {kept_head['sequence']} as it was kept" if kept_head else ""
        print_line(f"the audit chain is intact: {result['rows']} rows{contained}")
    else:
        print_line(f"the audit chain is broken at row {result['broken_at']}: {result['reason']}")
    if result["broken_at"] is not None:
        raise typer.Exit(1)


def _read_kept_head(path: Path) -> dict[str, Any]:
    """Read a head in either form in which `audit head` prints it.

    Raises:
        Invalid: the file has no head.
    """
    text = read_text(path).strip()
    if line := _HEAD_LINE.fullmatch(text):
        return {"sequence": int(line[1]), "digest": line[2]}
    try:
        head = json_module.loads(text)
    except (ValueError, RecursionError):
        head = None
    if isinstance(head, dict) and _HEAD_LINE.fullmatch(f"{head.get('sequence')} {head.get('digest')}"):
        return head
    raise Invalid(
        f"{path} has no head of an audit chain; it must be one that `promptuary audit head` printed, with or without `--json`"
    )
