"""`promptuary key create | list | revoke` and `promptuary audit verify`: API keys and the audit chain."""

from typing import Annotated

import typer

from promptuary.cli.connection import connect, path_segment
from promptuary.cli.number_parsers import integer
from promptuary.cli.output import AsJson, Project, print_json, print_line, print_table

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


@audit_app.command("verify")
def verify(project: Project = None, json: AsJson = False) -> None:
    """Verify the whole chain; exit 1 where it is broken."""
    with connect(project) as api:
        result = api.get("/audit/verify")
    if json:
        print_json(result)
    elif result["broken_at"] is None:
        print_line(f"the audit chain is intact: {result['rows']} rows")
    else:
        print_line(f"the audit chain is broken at row {result['broken_at']}: {result['reason']}")
    if result["broken_at"] is not None:
        raise typer.Exit(1)
