"""The files of a finished run in MLflow. Results are read and written a page at a time."""

import json
from collections.abc import Iterator
from pathlib import Path

from promptuary.core.database import Database
from promptuary.evaluation.datasets import store as dataset_store
from promptuary.evaluation.reports.html.html_report import html_report
from promptuary.evaluation.reports.markdown import markdown_report
from promptuary.evaluation.reports.reported_result import ReportedResult, ResultReader
from promptuary.evaluation.reports.reported_run import ReportedRun
from promptuary.evaluation.reports.result_spool import spool_results
from promptuary.evaluation.runs import store
from promptuary.evaluation.runs.schemas import ResultOut, WholeRunOut
from promptuary.evaluation.runs.service import ResultWithCase
from promptuary.evaluation.runs.store import Run

RESULTS_FILE = "results.json"
SUMMARY_FILE = "summary.json"
REPORT_FILE = "report.html"
NOTES_FILE = "summary.md"
_PAGE = 500
_COLUMNS = ("case", "variant", "repeat", "passed", "score", "output", "error")


def write_artifacts(database: Database, run: Run, folder: Path) -> None:
    """Write the summary as JSON and as Markdown, the HTML report, and the table of results."""
    reported_run = _reported_run(run)
    (folder / SUMMARY_FILE).write_text(json.dumps(run.summary and run.summary.json_body(), indent=2), encoding="utf-8")
    with spool_results(_reported_results(database, run)) as results:
        with (folder / RESULTS_FILE).open("w", encoding="utf-8") as file:
            file.writelines(_table(results))
        with (folder / REPORT_FILE).open("w", encoding="utf-8") as file:
            file.writelines(html_report(reported_run, results()))
        (folder / NOTES_FILE).write_text(markdown_report(reported_run, results()), encoding="utf-8")


def summary_markdown(run: Run) -> str:
    """Return the summary without any case, as a description of the run."""
    return markdown_report(_reported_run(run), ())


def _reported_run(run: Run) -> ReportedRun:
    return ReportedRun.from_json(WholeRunOut.of(run).model_dump(mode="json"))


def _reported_results(database: Database, run: Run) -> Iterator[ReportedResult]:
    """Yield a run's results in the file's order."""
    after: int | None = None
    while True:
        with database.read() as session:
            results = store.list_results(session, run.id, after, _PAGE)
            if not results:
                return
            positions = sorted({result.ordinal // run.plan.per_case for result in results})
            cases = dataset_store.cases_at(session, run.plan.dataset.id, positions)
        for result in results:
            with_case = ResultWithCase(result, cases[result.ordinal // run.plan.per_case])
            yield ReportedResult.from_json(ResultOut.of(with_case).model_dump(mode="json", by_alias=True))
        after = results[-1].ordinal


def _table(read_results: ResultReader) -> Iterator[str]:
    """Yield the JSON of a table of results in pandas' `split` form, as MLflow expects it."""
    names = list(dict.fromkeys(metric for result in read_results() for metric in result.metrics))
    yield f'{{"columns": {json.dumps([*_COLUMNS, *names])}, "data": ['
    separator = "\n"
    for result in read_results():
        row = [getattr(result, name) for name in _COLUMNS] + [result.metrics.get(name) for name in names]
        yield separator + json.dumps(row)
        separator = ",\n"
    yield "\n]}\n"
