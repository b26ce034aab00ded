"""Report files of `eval run` and `eval report`. Each is written completely or not at all.

The reports are imported where they are made: their typed models would cost every command some 30 ms at its start.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from promptuary.cli.connection import ApiClient, ServiceUnreachable, path_segment

if TYPE_CHECKING:
    from promptuary.evaluation.reports.error_groups import ErrorGroup
    from promptuary.evaluation.reports.reported_result import ReportedResult
    from promptuary.evaluation.reports.reported_run import ReportedRun

Junit = Annotated[Path | None, typer.Option("--junit", help="Write JUnit XML here.")]
Summary = Annotated[Path | None, typer.Option("--summary", help="Write a Markdown summary here.")]
Html = Annotated[Path | None, typer.Option("--html", help="Write a page with plots here; with several suites, one page each.")]
Json = Annotated[Path | None, typer.Option("--json", help="Write all results as JSON here.")]


@dataclass(frozen=True)
class ReportFiles:
    """The report files to write."""

    junit: Path | None
    summary: Path | None
    html: Path | None
    json: Path | None

    @property
    def none(self) -> bool:
        """Whether no file is to be written."""
        return not any((self.junit, self.summary, self.html, self.json))

    def write_all(self, api: ApiClient, runs: "Iterable[ReportedRun]") -> "list[ReportedRun]":
        """Write the files of runs that end one after another, and return the runs; also where one of them raises an error."""
        finished: list[ReportedRun] = []
        try:
            finished.extend(runs)
        finally:
            if finished:
                self.write(api, finished)
        return finished

    def write(self, api: ApiClient, runs: Sequence["ReportedRun"]) -> None:
        """Write the files. The results of each run are read from the service once."""
        if self.none:
            return
        from promptuary.evaluation.reports.html.html_report import html_report
        from promptuary.evaluation.reports.json_report import json_list, json_report
        from promptuary.evaluation.reports.junit import junit_report
        from promptuary.evaluation.reports.markdown import markdown_report
        from promptuary.evaluation.reports.result_spool import spool_results

        with ExitStack() as stack:
            spooled_runs = [(run, stack.enter_context(spool_results(read_results(api, run.id)))) for run in runs]
            if self.junit is not None:
                _save(self.junit, junit_report(spooled_runs))
            if self.summary is not None:
                _save(self.summary, ["\n".join(markdown_report(run, results()) for run, results in spooled_runs)])
            if self.json is not None:
                _save(self.json, json_list([json_report(run, results()) for run, results in spooled_runs]))
            if self.html is not None:
                for path, (run, results) in zip(_paths(self.html, runs), spooled_runs, strict=True):
                    _save(path, html_report(run, results()))


def read_run(api: ApiClient, run_id: str) -> "ReportedRun":
    """Read a run with its summary from the service.

    Raises:
        ServiceUnreachable: when the response is not a run of this release.
    """
    from promptuary.evaluation.reports.reported_run import ReportedRun

    body = api.get(f"/runs/{path_segment(run_id)}")
    try:
        is_judged = body["state"] == "finished" and bool((body["summary"] or {}).get("judges"))
        # Labels of people may have come since the run finished.
        corrections = api.get(f"/runs/{path_segment(run_id)}/corrections") if is_judged else None
        return ReportedRun.from_json(body, corrections)
    except (KeyError, ValueError) as error:
        raise ServiceUnreachable("the server's answer is not a run; is it Promptuary, and of this release?") from error


def read_results(api: ApiClient, run_id: str) -> "Iterator[ReportedResult]":
    """Return an iterator of a run's results in the file's order, which reads one page at a time."""
    from promptuary.evaluation.reports.reported_result import ReportedResult

    return map(ReportedResult.from_json, api.items(f"/runs/{path_segment(run_id)}/results"))


def read_errors(api: ApiClient, run: "ReportedRun") -> "list[ErrorGroup]":
    """Return why results of a run have no verdict, grouped; without a request where all have one."""
    from promptuary.evaluation.reports.error_groups import ErrorGroups
    from promptuary.evaluation.reports.reported_result import ReportedResult

    summary = run.summary
    if summary is not None and not any(metric.unscored for side in summary.variants for metric in side.metrics.values()):
        return []
    errors = None if summary is None or not summary.unrunnable else "true"
    items = api.items(f"/runs/{path_segment(run.id)}/results", errors=errors)
    return ErrorGroups(map(ReportedResult.from_json, items)).ranked()


def print_pieces(pieces: Iterable[str]) -> None:
    """Print a report piece by piece."""
    for piece in pieces:
        typer.echo(piece, nl=False)
    typer.echo()


def _paths(path: Path, runs: Sequence["ReportedRun"]) -> list[Path]:
    """Return a page's path for each run: a single one as requested, several by suite, and by run id where suites repeat."""
    if len(runs) == 1:
        return [path]
    suites = [run.suite for run in runs]
    names = [run.suite if suites.count(run.suite) == 1 else f"{run.suite}.{run.id}" for run in runs]
    return [path.with_name(f"{path.stem}.{name}{path.suffix}") for name in names]


def _save(path: Path, pieces: Iterable[str]) -> None:
    """Write a file completely or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(path.name + ".new")
    with new.open("w", encoding="utf-8", errors="backslashreplace", newline="\n") as file:
        file.writelines(pieces)
    os.replace(new, path)
