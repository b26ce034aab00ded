"""`promptuary sync plan | apply | drift | pull`: keep prompt files and the registry in sync."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from promptuary.cli.connection import ApiClient, connect
from promptuary.cli.output import AsJson, Project, print_json, print_line, print_notice
from promptuary.cli.prompts_as_code.drift import differences
from promptuary.cli.prompts_as_code.origins import Origin, origins_file, read_origins, write_with_origins
from promptuary.cli.prompts_as_code.plan import plan
from promptuary.cli.prompts_as_code.plan_step import PlanStep, apply_step, check_steps
from promptuary.cli.prompts_as_code.pull import pull, write
from promptuary.cli.registry.state import RegistryState

app = typer.Typer(help="Prompts as code: keep a folder of prompt files and the registry in sync.", no_args_is_help=True)
Folder = Annotated[Path, typer.Argument(help="The folder; prompts/ by default.")]
Force = Annotated[bool, typer.Option("--force", help="Also move labels that are split, which ends the split.")]
Supersede = Annotated[
    bool,
    typer.Option("--supersede", help="Also register files that were edited while the registry got newer versions."),
]
PROMPTS = Path("prompts")


def show(steps: list[PlanStep]) -> None:
    """Print a plan."""
    for step in steps:
        print_line(step.describe())
        for detail in step.details():
            print_line(detail)


@app.command("plan")
def show_plan(
    folder: Folder = PROMPTS,
    force: Force = False,
    supersede: Supersede = False,
    project: Project = None,
    json: AsJson = False,
) -> None:
    """Show what `apply` would do; exit 1 where it would be refused, for CI."""
    with connect(project) as api:
        steps = plan(RegistryState(api), folder, force=force, supersede=supersede)
    if json:
        print_json([step.as_json() for step in steps])
    else:
        show(steps)
    if any(step.obstacles for step in steps):
        raise typer.Exit(1)


@app.command("apply")
def apply(
    folder: Folder = PROMPTS,
    force: Force = False,
    supersede: Supersede = False,
    project: Project = None,
    json: AsJson = False,
) -> None:
    """Register what is new, and move the labels in the files: all of it, or nothing where one file cannot be applied."""
    with connect(project) as api:
        steps = plan(RegistryState(api), folder, force=force, supersede=supersede)
        versions = apply_steps(api, steps)
    record_origins(folder, steps, versions)
    for version in versions:
        for warning in version.get("warnings", []):
            print_notice(f"warning: {version['name']}: {warning['detail']}")
    if json:
        print_json(versions)
        return
    show(steps)


def apply_steps(api: ApiClient, steps: list[PlanStep]) -> list[Any]:
    """Apply a plan after all of it was checked; return the versions."""
    check_steps(api, steps)
    return [apply_step(api, step, steps[:number]) for number, step in enumerate(steps)]


def record_origins(folder: Path, steps: Sequence[PlanStep], versions: Sequence[Any]) -> None:
    """Record the versions that the files of a pulled folder are copies of now; a folder without origins stays without.

    The origin of a file that comes from another registry is kept.
    """
    if not origins_file(folder).exists():
        return
    recorded = read_origins(folder)
    applied = {
        step.prompt.name: Origin.of(version, max(step.newest, step.version), step.prompt.labels)
        for step, version in zip(steps, versions, strict=True)
        if not step.is_older and (step.origin is not None or step.prompt.name not in recorded)
    }
    if applied:
        write_with_origins(folder, {}, applied)


@app.command("drift")
def drift(
    folder: Folder = PROMPTS,
    files_only: Annotated[bool, typer.Option("--files-only", help="Omit prompts that have no file here.")] = False,
    project: Project = None,
    json: AsJson = False,
) -> None:
    """Show the differences between files and registry; exit 1 where there are any, for CI."""
    with connect(project) as api:
        listed = [
            difference
            for difference in differences(RegistryState(api), folder)
            if not (files_only and difference.kind == "registry")
        ]
    if json:
        print_json({"drift": bool(listed), "differences": [difference.as_json() for difference in listed]})
    else:
        for difference in listed:
            print_line(f"{difference.prompt}  {difference.detail}")
        if not listed:
            print_line("files and registry are in sync")
    if listed:
        raise typer.Exit(1)


@app.command("pull")
def pull_files(
    folder: Folder = PROMPTS,
    label: Annotated[
        str | None, typer.Option("--label", help="Write the version under this label, of prompts that have it.")
    ] = None,
    latest: Annotated[bool, typer.Option("--latest", help="Write the newest version; the default without --label.")] = False,
    prompts: Annotated[list[str] | None, typer.Option("--prompt", help="Only this prompt; may be repeated.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite files whose content the registry does not have.")] = False,
    no_labels: Annotated[bool, typer.Option("--no-labels", help="Write no labels into the files.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be written, and write nothing.")] = False,
    project: Project = None,
    json: AsJson = False,
) -> None:
    """Write prompt files from the registry: all of them, or none where one would lose changes. No file is deleted."""
    if label is not None and latest:
        raise typer.BadParameter("pass --label or --latest, not both")
    with connect(project) as api:
        pulled = pull(RegistryState(api), folder, label=label, prompts=prompts or (), labels=not no_labels, force=force)
    if not dry_run:
        write(folder, pulled)
    if json:
        print_json([prompt.as_json() for prompt in pulled])
        return
    for prompt in pulled:
        print_line(prompt.describe())
