"""`promptuary person`, `promptuary key` and `promptuary audit head | verify`: people, API keys and the audit chain."""

import json as json_module
import re
from pathlib import Path
from typing import Annotated, Any

import typer

from promptuary.cli.connection import ApiClient, connect, path_segment
from promptuary.cli.number_parsers import integer
from promptuary.cli.output import AsJson, Project, print_json, print_line, print_table
from promptuary.prompt.errors import FieldError, Invalid
from promptuary.prompt.files.prompt_file import read_text

_HEAD_LINE = re.compile(r"([0-9]{1,18}) (sha256:[0-9a-f]{64})")

PersonName = Annotated[str, typer.Argument(metavar="PERSON", help="The person's name, or their id.")]
ROLES_HELP = "viewer, editor, reviewer, lead, ci, service, admin or operator."
person_app = typer.Typer(help="Create people, and change what they may do.", no_args_is_help=True)
PLATFORMS = {"github": "https://token.actions.githubusercontent.com", "gitlab": "https://gitlab.com"}
key_app = typer.Typer(help="Create, list and revoke API keys.", no_args_is_help=True)
rule_app = typer.Typer(help="Keys for pipelines without a stored secret.", no_args_is_help=True)
key_app.add_typer(rule_app, name="rule")
audit_app = typer.Typer(help="The audit chain.", no_args_is_help=True)


@person_app.command("create")
def create_person(
    name: Annotated[str, typer.Argument(help="The person's name, unique in the installation.")],
    role: Annotated[str | None, typer.Option("--role", help=f"In the project: {ROLES_HELP}")] = None,
    project: Project = None,
    json: AsJson = False,
) -> None:
    """Create a person; print their id."""
    with connect(project) as api:
        person = api.post("/people", {"name": name, "role": role})
    if json:
        print_json(person)
    else:
        print_line(person["id"])


@person_app.command("list")
def list_people(project: Project = None, json: AsJson = False) -> None:
    """List the people of the project; an operator's key lists those of all projects."""
    with connect(project) as api:
        people = list(api.items("/people"))
    if json:
        print_json(people)
        return
    rows = [(person["id"], person["name"], _roles(person), person["created_at"], person["deactivated_at"]) for person in people]
    print_table(["id", "name", "roles", "created", "deactivated"], rows)


@person_app.command("role")
def set_role(
    name: PersonName,
    role: Annotated[str, typer.Argument(metavar="ROLE", help=f"{ROLES_HELP[:-1]}; or none, which ends the membership.")],
    project: Project = None,
) -> None:
    """Set a person's role in the project; it applies at once."""
    with connect(project) as api:
        person, own = _person(api, name), api.get("/self")["project"]
        path = f"/people/{person['id']}/memberships/{path_segment(own)}"
        if role == "none":
            api.delete(path)
            print_line(f"{person['name']} is no member of {own} any more")
            return
        api.put(path, {"role": role})
    print_line(f"{person['name']} is {role} in {own}")


@person_app.command("deactivate")
def deactivate(name: PersonName, project: Project = None) -> None:
    """Deactivate a person: their keys and sessions end now, in every project."""
    with connect(project) as api:
        person = _person(api, name)
        api.post(f"/people/{person['id']}/deactivate", {})
    print_line(f"{person['name']} is deactivated")


@person_app.command("code")
def create_code(name: PersonName, project: Project = None, json: AsJson = False) -> None:
    """Create a code that signs a person in once, within ten minutes. It is printed only now."""
    with connect(project) as api:
        code = api.post(f"/people/{_person(api, name)['id']}/codes", {})
    if json:
        print_json(code)
    else:
        print_line(code["code"])


@key_app.command("create")
def create(
    name: Annotated[str, typer.Argument(help="The key's display name.")],
    role: Annotated[str, typer.Option("--role", help=ROLES_HELP)],
    person: Annotated[str | None, typer.Option("--person", help="Whose key it is, by name; else it is a service's.")] = None,
    allow: Annotated[
        list[str] | None,
        typer.Option("--allow", help="A scope beyond the role ci, such as suite:write; may be repeated."),
    ] = None,
    days: Annotated[
        int | None, typer.Option("--days", help="Days after which it expires.", parser=integer, metavar="INTEGER")
    ] = None,
    project: Project = None,
    json: AsJson = False,
) -> None:
    """Create a key. It is printed only now; the service stores a hash of it."""
    with connect(project) as api:
        person_id = _person(api, person)["id"] if person is not None else None
        body = {"name": name, "role": role, "days": days, "person": person_id, "grants": allow or None}
        created_key = api.post("/keys", body)
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
    fields = ("id", "name", "role", "created_at", "expires_at", "revoked_at", "person")
    rows = [(*(key[field] for field in fields), " ".join(key["grants"])) for key in keys]
    print_table(["id", "name", "role", "created", "expires", "revoked", "person", "allowed"], rows)


@key_app.command("revoke")
def revoke(key: Annotated[str, typer.Argument(metavar="ID", help="The key's id.")], project: Project = None) -> None:
    """Revoke a key now."""
    with connect(project) as api:
        api.delete(f"/keys/{path_segment(key)}")
    print_line(f"key {key} is revoked")


@rule_app.command("add")
def add_rule(
    repository: Annotated[str, typer.Argument(help="The repository's path, such as acme/prompts.")],
    branch: Annotated[str, typer.Option("--branch", help="The branch, or the one that a pull request is to change.")],
    issuer: Annotated[
        str, typer.Option("--issuer", help="github, gitlab, or the address of another listed issuer.")
    ] = "github",
    repository_id: Annotated[
        str | None, typer.Option("--repository-id", help="The platform's number of the repository, which no other has.")
    ] = None,
    environment: Annotated[
        str | None, typer.Option("--environment", help="The deployment environment; any by default.")
    ] = None,
    event: Annotated[
        str | None, typer.Option("--event", help="What starts the pipeline, such as push or pull_request.")
    ] = None,
    minutes: Annotated[
        int, typer.Option("--minutes", help="Minutes after which a key ends.", parser=integer, metavar="INTEGER")
    ] = 60,
    allow: Annotated[
        list[str] | None, typer.Option("--allow", help="A scope beyond the role ci, such as suite:write; repeatable.")
    ] = None,
    project: Project = None,
    json: AsJson = False,
) -> None:
    """Store a rule by which pipelines of a repository and branch exchange their platform's token for a short key."""
    body = {
        "issuer": PLATFORMS.get(issuer, issuer),
        "repository": repository,
        "branch": branch,
        "repository_id": repository_id,
        "environment": environment,
        "event": event,
        "minutes": minutes,
        "grants": allow or None,
    }
    with connect(project) as api:
        rule = api.post("/keys/rules", body)
    if json:
        print_json(rule)
    else:
        print_line(f"rule {rule['id']}: {repository}, branch {branch}, gets keys of {minutes} minutes")


@rule_app.command("list")
def list_rules(project: Project = None, json: AsJson = False) -> None:
    """List the project's rules."""
    with connect(project) as api:
        rules = list(api.items("/keys/rules"))
    if json:
        print_json(rules)
        return
    columns = ["id", "issuer", "repository", "branch", "environment", "event", "minutes", "grants"]
    print_table(columns, [[*(rule[column] for column in columns[:-1]), " ".join(rule["grants"])] for rule in rules])


@rule_app.command("remove")
def remove_rule(rule: Annotated[str, typer.Argument(metavar="ID", help="The rule's id.")], project: Project = None) -> None:
    """Remove a rule; keys that it gave end by themselves, or are revoked."""
    with connect(project) as api:
        api.delete(f"/keys/rules/{path_segment(rule)}")
    print_line(f"rule {rule} is removed")


@audit_app.command("head")
def head(project: Project = None, json: AsJson = False) -> None:
    """Print the head of the chain: its length and its last row's digest. Keep it outside of the service's database."""
    with connect(project) as api:
        chain_head = api.get("/audit/head")
    if json:
        print_json(chain_head)
    else:
        print_line(f"{chain_head['sequence']} {chain_head['digest']}")


@key_app.command("roles")
def print_roles() -> None:
    """Print the table of roles, scopes and routes, as Markdown."""
    from promptuary.cli.role_table import role_table  # imports the whole app

    print_line(role_table())


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


def _person(api: ApiClient, name: str) -> Any:
    """Return the person of a name or an id."""
    if name.startswith("person_"):
        return api.get(f"/people/{path_segment(name)}")
    people = api.get("/people", name=name)["items"]
    if not people:
        raise Invalid(f"there is no person '{name}'; create them with: promptuary person create")
    return people[0]


def _roles(person: Any) -> str:
    return ", ".join(f"{each['role']} in {each['project']}" for each in person["memberships"])
