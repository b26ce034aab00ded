"""`promptuary eval schedule set | list | show | pause | resume | now | remove`, and `promptuary eval alerts`.

A worker submits the runs that are due and executes them; `promptuary up` and `promptuary worker` start one.
"""

from typing import Annotated, Any

import typer

from promptuary.cli.connection import connect, path_segment
from promptuary.cli.number_parsers import decimal, integer
from promptuary.cli.output import AsJson, Project, print_json, print_line, print_table

app = typer.Typer(help="Run suites on a schedule.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="The schedule's name.")]


@app.command("set")
def set_schedule(
    name: Name,
    suite: Annotated[str, typer.Argument(help="The suite to run.")],
    cron: Annotated[str, typer.Argument(help="Five fields, as in '30 6 * * MON-FRI'.")],
    zone: Annotated[str, typer.Option("--zone", help="The time zone of these times, such as Europe/Lisbon.")] = "UTC",
    label: Annotated[str | None, typer.Option("--label", help="The candidate's label, instead of the suite's.")] = None,
    margin: Annotated[
        float,
        typer.Option("--margin", help="The drop that is tolerated without an alert, 0 to 1.", parser=decimal, metavar="NUMBER"),
    ] = 0.0,
    webhook: Annotated[str | None, typer.Option("--webhook", help="The webhook that alerts are sent to.")] = None,
    paused: Annotated[bool, typer.Option("--paused", help="Create it paused: submit no runs yet.")] = False,
    project: Project = None,
    json: AsJson = False,
) -> None:
    """Create a schedule, or replace the one with this name: options that are missing get their defaults."""
    body = {"suite": suite, "cron": cron, "zone": zone, "label": label, "margin": margin, "webhook": webhook}
    with connect(project) as api:
        _show(api.put(f"/schedules/{path_segment(name)}", body | {"paused": paused}), json)


@app.command("list")
def list_schedules(project: Project = None, json: AsJson = False) -> None:
    """List the schedules by name."""
    with connect(project) as api:
        schedules = list(api.items("/schedules"))
    if json:
        print_json(schedules)
        return
    rows = [
        (
            schedule["name"],
            schedule["suite"],
            schedule["cron"],
            schedule["zone"],
            _first(schedule),
            _last(schedule),
            schedule["error"],
        )
        for schedule in schedules
    ]
    print_table(["schedule", "suite", "cron", "zone", "next", "last run", "note"], rows)


@app.command("show")
def show(name: Name, project: Project = None, json: AsJson = False) -> None:
    """Show a schedule, its next times and the state of its last run."""
    with connect(project) as api:
        _show(api.get(f"/schedules/{path_segment(name)}"), json)


@app.command("pause")
def pause(name: Name, project: Project = None, json: AsJson = False) -> None:
    """Pause a schedule: submit no more runs until it is resumed."""
    with connect(project) as api:
        _show(api.post(f"/schedules/{path_segment(name)}/pause", {}), json)


@app.command("resume")
def resume(name: Name, project: Project = None, json: AsJson = False) -> None:
    """Resume a schedule: submit runs again; missed times are not made up for."""
    with connect(project) as api:
        _show(api.post(f"/schedules/{path_segment(name)}/resume", {}), json)


@app.command("now")
def submit_now(name: Name, project: Project = None, json: AsJson = False) -> None:
    """Queue a run of a schedule now; a worker executes it."""
    with connect(project) as api:
        run = api.post(f"/schedules/{path_segment(name)}/now", {})
    if json:
        print_json(run)
    else:
        print_line(f"{name}: {run['id']} is queued, {run['total']} results; a worker executes it")


@app.command("remove")
def remove(name: Name, project: Project = None) -> None:
    """Remove a schedule; its runs and alerts stay."""
    with connect(project) as api:
        api.delete(f"/schedules/{path_segment(name)}")
    print_line(f"{name} is removed")


def alerts(
    schedule: Annotated[str | None, typer.Option("--schedule", help="Only the alerts of this schedule.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Also the alerts that somebody has seen.")] = False,
    seen: Annotated[
        int | None, typer.Option("--seen", metavar="ALERT", help="Mark this alert as seen.", parser=integer)
    ] = None,
    project: Project = None,
    json: AsJson = False,
) -> None:
    """List the metrics that dropped against their own history and that nobody has seen yet, the newest first."""
    with connect(project) as api:
        if seen is not None:
            alert_list = [api.post(f"/alerts/{seen}/seen", {})]
        else:
            alert_list = list(api.items("/alerts", schedule=schedule, open=None if every else True))
    if json:
        print_json(alert_list if seen is None else alert_list[0])
        return
    rows = [(alert["id"], alert["at"], alert["run"], alert["sentence"], alert["seen_by"]) for alert in alert_list]
    print_table(["alert", "at", "run", "what", "seen by"], rows)


def _show(schedule: Any, json: bool) -> None:
    if json:
        print_json(schedule)
        return
    print_line(f"{schedule['name']}: {schedule['suite']} at '{schedule['cron']}' ({schedule['zone']}), by {schedule['actor']}")
    print_line(f"  candidate: {schedule['label'] or 'the label in the suite'}")
    print_line(f"  alert: when a metric drops by more than {schedule['margin']:g}{_sent(schedule)}")
    print_line(f"  next: {_next(schedule)}")
    print_line(f"  last run: {_last(schedule) or 'none yet'}")
    if schedule["error"]:
        print_line(f"  note: {schedule['error']}")


def _sent(schedule: Any) -> str:
    return f", sent to {schedule['webhook']}" if schedule["webhook"] else ""


def _next(schedule: Any) -> str:
    return "paused" if schedule["paused"] else ", ".join(schedule["next_times"])


def _first(schedule: Any) -> str:
    return "paused" if schedule["paused"] else str(schedule["next_at"])


def _last(schedule: Any) -> str:
    last = schedule["last"]
    return f"{last['id']} {last['verdict'] or last['state']}" if last else ""
