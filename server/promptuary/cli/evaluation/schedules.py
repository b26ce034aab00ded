"""`promptuary eval schedule set | list | show | pause | resume | now | remove`, and `promptuary eval alerts`.

A worker submits what is due and does it, as `promptuary up` and `promptuary worker` start one.
"""

from typing import Annotated, Any

import typer

from promptuary.cli.connection import connect, path_segment
from promptuary.cli.output import AsJson, Project, print_json, print_line, print_table

app = typer.Typer(help="Run suites on a timetable.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="The schedule's name.")]


@app.command("set")
def set_schedule(
    name: Name,
    suite: Annotated[str, typer.Argument(help="The suite that is run.")],
    cron: Annotated[str, typer.Argument(help="Five fields, as in '30 6 * * MON-FRI'.")],
    zone: Annotated[str, typer.Option("--zone", help="The time zone of these times, as Europe/Lisbon.")] = "UTC",
    label: Annotated[str | None, typer.Option("--label", help="The candidate's label, instead of the suite's.")] = None,
    margin: Annotated[float, typer.Option("--margin", help="The drop that is borne without an alert, 0 to 1.")] = 0.0,
    webhook: Annotated[str | None, typer.Option("--webhook", help="Where alerts are sent to.")] = None,
    paused: Annotated[bool, typer.Option("--paused", help="Submit no runs yet.")] = False,
    project: Project = None,
    json: AsJson = False,
) -> None:
    """Write a schedule, over the one of that name: what is not given is as if never said."""
    body = {"suite": suite, "cron": cron, "zone": zone, "label": label, "margin": margin, "webhook": webhook}
    with connect(project) as api:
        _show(api.put(f"/schedules/{path_segment(name)}", body | {"paused": paused}), json)


@app.command("list")
def list_schedules(project: Project = None, json: AsJson = False) -> None:
    """List the schedules by name."""
    with connect(project) as api:
        found = list(api.items("/schedules"))
    if json:
        print_json(found)
        return
    rows = [(one["name"], one["suite"], one["cron"], one["zone"], _first(one), _last(one), one["error"]) for one in found]
    print_table(["schedule", "suite", "cron", "zone", "next", "last run", "note"], rows)


@app.command("show")
def show(name: Name, project: Project = None, json: AsJson = False) -> None:
    """Show a schedule, its next times and how its last run stands."""
    with connect(project) as api:
        _show(api.get(f"/schedules/{path_segment(name)}"), json)


@app.command("pause")
def pause(name: Name, project: Project = None, json: AsJson = False) -> None:
    """Submit no more runs until it is resumed."""
    with connect(project) as api:
        _show(api.post(f"/schedules/{path_segment(name)}/pause", {}), json)


@app.command("resume")
def resume(name: Name, project: Project = None, json: AsJson = False) -> None:
    """Submit runs again; times that passed meanwhile are not caught up."""
    with connect(project) as api:
        _show(api.post(f"/schedules/{path_segment(name)}/resume", {}), json)


@app.command("now")
def submit_now(name: Name, project: Project = None, json: AsJson = False) -> None:
    """Queue a run of a schedule now; a worker does it."""
    with connect(project) as api:
        run = api.post(f"/schedules/{path_segment(name)}/now", {})
    if json:
        print_json(run)
    else:
        print_line(f"{name}: {run['id']} is queued, {run['total']} results; a worker does it")


@app.command("remove")
def remove(name: Name, project: Project = None) -> None:
    """Take a schedule away; its runs and alerts stay."""
    with connect(project) as api:
        api.delete(f"/schedules/{path_segment(name)}")
    print_line(f"{name} is removed")


def alerts(
    schedule: Annotated[str | None, typer.Option("--schedule", help="One schedule's.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Those that somebody has seen, too.")] = False,
    seen: Annotated[int | None, typer.Option("--seen", metavar="ALERT", help="Say that you have seen this one.")] = None,
    project: Project = None,
    json: AsJson = False,
) -> None:
    """List what dropped against its own history and nobody has seen yet, the newest first."""
    with connect(project) as api:
        if seen is not None:
            told = api.post(f"/alerts/{seen}/seen", {})
            found = [told]
        else:
            found = list(api.items("/alerts", schedule=schedule, open=None if every else True))
    if json:
        print_json(found if seen is None else found[0])
        return
    rows = [(one["id"], one["at"], one["run"], one["sentence"], one["seen_by"]) for one in found]
    print_table(["alert", "at", "run", "what", "seen by"], rows)


def _show(found: Any, json: bool) -> None:
    if json:
        print_json(found)
        return
    print_line(f"{found['name']}: {found['suite']} at '{found['cron']}' ({found['zone']}), by {found['actor']}")
    print_line(f"  candidate: {found['label'] or 'the label that the suite names'}")
    print_line(f"  alert: when a metric drops by more than {found['margin']:g}{_sent(found)}")
    print_line(f"  next: {_next(found)}")
    print_line(f"  last run: {_last(found) or 'none yet'}")
    if found["error"]:
        print_line(f"  note: {found['error']}")


def _sent(found: Any) -> str:
    return f", sent to {found['webhook']}" if found["webhook"] else ""


def _next(found: Any) -> str:
    return "paused" if found["paused"] else ", ".join(found["next_times"])


def _first(found: Any) -> str:
    return "paused" if found["paused"] else str(found["next_at"])


def _last(found: Any) -> str:
    last = found["last"]
    return f"{last['id']} {last['verdict'] or last['state']}" if last else ""
