"""Direct calls of evaluations: each is one of the routes in `promptuary.evaluation`, without HTTP."""

import re
from collections.abc import Iterable
from tempfile import SpooledTemporaryFile

from promptuary.access.unit_of_work import UnitOfWork
from promptuary.cli.embedded.direct_call import DirectCall, NotDirect, Request, Work, to_json
from promptuary.core.errors import BodyTooLarge
from promptuary.core.wire import PageOf
from promptuary.evaluation.datasets.case_file import read_cases
from promptuary.evaluation.datasets.case_spool import CasePieces, CaseSpool
from promptuary.evaluation.datasets.readers.formats import FileFormat
from promptuary.evaluation.datasets.schemas import DatasetOut
from promptuary.evaluation.datasets.service import DatasetService
from promptuary.evaluation.runs.request import RunRequest
from promptuary.evaluation.runs.result_store import ResultFilter
from promptuary.evaluation.runs.schemas import PlanOut, ResultOut, RunOut, WholeRunOut
from promptuary.evaluation.runs.service import RunService
from promptuary.evaluation.suites.schemas import SuiteOut
from promptuary.evaluation.suites.service import SuiteService
from promptuary.evaluation.suites.suite import Suite

_RUN_ID = re.compile(r"run_[0-9a-f]{1,60}")
_IN_MEMORY = 1024 * 1024


def _run_id(request: Request) -> str:
    run: str = request.names[0]
    if not _RUN_ID.fullmatch(run):
        raise NotDirect
    return run


def _put_dataset(request: Request) -> Work:
    dataset, lines = request.name(), request.lines or ()
    if isinstance(lines, CasePieces) and lines.cases.is_checked and lines.cases.size <= request.settings.dataset_limit:
        cases = lines.cases  # which the command has read from a file just now
    else:
        cases = _received_cases(lines, request.settings.dataset_limit)

    def work(unit: UnitOfWork) -> str:
        return to_json(DatasetOut.of(DatasetService(unit).put_version(dataset, cases).version))

    return work


def _received_cases(lines: Iterable[bytes], limit: int) -> CaseSpool:
    size = 0
    with SpooledTemporaryFile(_IN_MEMORY) as file:
        for piece in lines:
            size += len(piece)
            if size > limit:
                raise BodyTooLarge.over(limit)
            file.write(piece)
        file.seek(0)
        return read_cases(file, FileFormat.JSON_LINES)


def _put_suite(request: Request) -> Work:
    name, suite = request.name(), request.parse(Suite)
    if suite.name != name:
        raise NotDirect
    return lambda unit: to_json(SuiteOut.model_validate(SuiteService(unit).put(suite)))


def _read_suite(request: Request) -> Work:
    name = request.name()
    return lambda unit: to_json(SuiteOut.model_validate(SuiteService(unit).get(name)))


def _submit_run(request: Request) -> Work:
    body = request.parse(RunRequest)
    return lambda unit: to_json(WholeRunOut.of(RunService(unit).submit(body)))


def _check_run(request: Request) -> Work:
    body = request.parse(RunRequest)
    return lambda unit: to_json(PlanOut.model_validate(RunService(unit).check(body)))


def _read_run(request: Request) -> Work:
    run = _run_id(request)
    return lambda unit: to_json(WholeRunOut.of(RunService(unit).get(run)))


def _interrupt_run(request: Request) -> Work:
    run = _run_id(request)
    if request.body:
        raise NotDirect
    return lambda unit: to_json(RunOut.of(RunService(unit).interrupt(run)))


def _list_results(request: Request) -> Work:
    run = _run_id(request)

    def work(unit: UnitOfWork) -> str:
        page = RunService(unit).list_results(run, *request.page(unit), ResultFilter())
        items = [ResultOut.of(result) for result in page.items]
        return to_json(PageOf[ResultOut](items=items, next_cursor=page.next_cursor))

    return work


PUT_DATASET = DirectCall(_put_dataset, writes=True, takes_lines=True)
PUT_SUITE = DirectCall(_put_suite, writes=True)
READ_SUITE = DirectCall(_read_suite)
SUBMIT_RUN = DirectCall(_submit_run, writes=True)
CHECK_RUN = DirectCall(_check_run, writes=True)
READ_RUN = DirectCall(_read_run)
INTERRUPT_RUN = DirectCall(_interrupt_run, writes=True)
LIST_RESULTS = DirectCall(_list_results, query=("limit", "cursor"))
