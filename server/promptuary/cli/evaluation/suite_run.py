"""A suite's run from its submission to its end: by a worker where there is a server, else in this process."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from promptuary.cli.connection import ApiClient, path_segment
from promptuary.cli.evaluation.interruption import Interruption, RunInterrupted
from promptuary.cli.evaluation.local_execution import LocalExecution
from promptuary.cli.evaluation.progress import OnProgress, RunProgress, show_progress
from promptuary.cli.evaluation.reports import read_errors, read_run
from promptuary.cli.evaluation.suites import (
    PromptfooOptions,
    SuiteInRegistry,
    SuiteSource,
    read_source,
    register_candidate,
    restore_definition,
    store_source,
)
from promptuary.cli.output import print_line, print_notice, report_error
from promptuary.prompt.errors import Invalid, PromptuaryError
from promptuary.prompt.files.prompt_file import PromptFile, read_prompt_folder
from promptuary.prompt.numbers import parse_version_number

if TYPE_CHECKING:
    from promptuary.evaluation.reports.reported_run import ReportedRun

POLL_SECONDS = 0.5
Item = TypeVar("Item")
Outcome = TypeVar("Outcome")
TRACKING_SECONDS = 15.0
"""Seconds to wait for MLflow after a worker has finished a run."""
RUNS, TRAFFIC_RUNS = "/runs", "/traffic/runs"
NOT_DELIVERED = "not there yet; it is delivered in the background, else by the worker or the next run, when MLflow answers"


@dataclass(frozen=True)
class CaseSelection:
    """The cases that are run: each meets all conditions.

    Attributes:
        cases: their ids; None for any.
        failing_in: a run in which they did not pass; None for no such condition.
        sample: how many of them are chosen at random; None for all.
        seed: of the sample.
    """

    cases: Sequence[str] | None = None
    failing_in: str | None = None
    sample: int | None = None
    seed: int | None = None


@dataclass(frozen=True)
class TrafficSelection:
    """Sampled calls on which a suite is run.

    Attributes:
        since: when the first of them may have begun, in ISO format.
        label: by which applications looked the version up; None for any.
        version: that answered; None for any.
    """

    since: str
    label: str | None = None
    version: int | None = None


@dataclass(frozen=True)
class RunOptions:
    """The options of `eval run` that decide what is run.

    Attributes:
        prompts: a folder of prompt files whose versions are tried.
        baseline: a label or a version to compare with; or an earlier run, which is compared afterwards.
        models: instead of the suite's.
        repeats: instead of the suite's.
        max_cost: the cost limit in US dollars.
        cache: whether cached responses are used.
        resume: the run to continue, instead of a new one.
        promptfoo: how promptfoo files are read.
        selection: of the cases that are run; None for all.
        traffic: sampled calls that are run instead of the suite's dataset; None for the dataset.
        candidate: the label or version to try; None for the suite's label.
    """

    prompts: Path | None = None
    baseline: str | None = None
    models: Sequence[str] | None = None
    repeats: int | None = None
    max_cost: float | None = None
    cache: bool = True
    resume: str | None = None
    promptfoo: PromptfooOptions = field(default_factory=PromptfooOptions)
    selection: CaseSelection | None = None
    traffic: TrafficSelection | None = None
    candidate: str | None = None

    @property
    def candidate_reference(self) -> dict[str, int | str]:
        """The candidate as requests name it: by `version` or by `label`; empty for the suite's."""
        if self.candidate is None:
            return {}
        number = parse_version_number(self.candidate)
        return {"label": self.candidate} if number is None else {"version": number}

    @property
    def baseline_run(self) -> str | None:
        """The baseline where it is an earlier run."""
        return self.baseline if self.baseline is not None and self.baseline.startswith("run_") else None

    @property
    def baseline_reference(self) -> int | str | None:
        """The baseline where it is a version or a label."""
        if self.baseline is None or self.baseline_run is not None:
            return None
        return parse_version_number(self.baseline) or self.baseline


@dataclass(frozen=True)
class PreparedSuite:
    """A suite whose file is stored, and the request of its run.

    Attributes:
        source: the suite as it was read.
        request: is sent to the path.
        path: of runs on the suite's dataset, or on traffic.
    """

    source: SuiteSource
    request: Mapping[str, Any]
    path: str = RUNS


def run_suites(
    api: ApiClient,
    suites: Sequence[str],
    options: RunOptions,
    local: LocalExecution | None,
    interruption: Interruption,
) -> "Iterator[ReportedRun]":
    """Run suites one after another, and yield each run with its summary; all are checked before the first one calls a model.

    Args:
        api: the service.
        suites: files, or names in the registry.
        options: what to run.
        local: executes the runs in this process; None where a server's worker does.
        interruption: ends the run when a signal comes.

    Raises:
        PromptuaryError: for a suite that cannot be run; the errors of others have been printed.
        RunInterrupted: when a signal ended a run; it has been printed how to resume it.
    """
    sources = _for_each(suites, lambda suite: read_source(suite, options.promptfoo))
    prompts = read_prompt_folder(options.prompts) if options.prompts else None
    prepared = _for_each(sources, lambda source: prepare(api, source, options, prompts))
    if len(prepared) > 1:
        _for_each(prepared, lambda suite: _check(api, suite))
    for number, suite in enumerate(prepared):
        if len(prepared) > 1:
            restore_definition(api, suite.source)  # another one of the same name may have been stored since
        try:
            yield run_suite(api, suite, local, interruption)
        except RunInterrupted:
            rest = ", ".join(other.source.argument for other in prepared[number + 1 :])
            if rest:
                print_notice(f"  not run: {rest}")
            raise


def resume_suite(
    api: ApiClient, suite: str, options: RunOptions, local: LocalExecution | None, interruption: Interruption
) -> "ReportedRun":
    """Continue the run of the options to its end and print its summary; raise as `run_suites`."""
    return _follow(api, suite, lambda: _resume(api, options.resume or "", options.max_cost), local, interruption)


def run_suite(api: ApiClient, suite: PreparedSuite, local: LocalExecution | None, interruption: Interruption) -> "ReportedRun":
    """Run one suite to its end and print its summary; raise as `run_suites`."""
    return _follow(api, suite.source.argument, lambda: api.post(suite.path, suite.request), local, interruption)


def prepare(api: ApiClient, source: SuiteSource, options: RunOptions, prompts: list[PromptFile] | None = None) -> PreparedSuite:
    """Store a suite, its dataset and the versions to try, and build the request of a run of them.

    Args:
        api: the service.
        source: the suite.
        options: what to run.
        prompts: the files of the folder whose versions are tried; None for the registry's.
    """
    stored = store_source(api, source)
    version = None if prompts is None or stored.prompt is None else register_candidate(api, prompts, stored.prompt)
    candidate: dict[str, Any] = {"version": version, **options.candidate_reference}
    if options.traffic is not None:
        return PreparedSuite(source, _traffic_request(stored, options, options.traffic, candidate), TRAFFIC_RUNS)
    request = {
        "suite": stored.name,
        **candidate,
        "versions": list(stored.versions) if stored.versions and candidate == {"version": None} else None,
        "baseline": options.baseline_reference,
        "models": options.models,
        "repeats": options.repeats,
        "dataset_version": stored.dataset_version,
        "max_cost": options.max_cost,
        "cache": options.cache,
        **({} if options.selection is None else asdict(options.selection)),
    }
    return PreparedSuite(source, request)


def _traffic_request(
    stored: SuiteInRegistry, options: RunOptions, traffic: TrafficSelection, candidate: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the request of a run on sampled calls; `--sample` and `--seed` choose among these."""
    selection = options.selection or CaseSelection()
    return {
        "suite": stored.name,
        **candidate,
        "baseline": options.baseline_reference,
        "models": options.models,
        "repeats": options.repeats,
        "max_cost": options.max_cost,
        "cache": options.cache,
        "since": traffic.since,
        "traffic_label": traffic.label,
        "traffic_version": traffic.version,
        "limit": selection.sample,
        "seed": selection.seed or 0,
    }


def _for_each(items: Iterable[Item], do: Callable[[Item], Outcome]) -> list[Outcome]:
    """Return the outcomes of all items; where some raise, print the errors but the last one, and raise that."""
    outcomes: list[Outcome] = []
    errors: list[Invalid] = []
    for item in items:
        try:
            outcomes.append(do(item))
        except Invalid as error:
            errors.append(error)
    for earlier in errors[:-1]:
        report_error(earlier)
    if errors:
        raise errors[-1]
    return outcomes


def _check(api: ApiClient, suite: PreparedSuite) -> None:
    """Check that a run would be accepted; raise Invalid, with the suite's file, where it would not."""
    if suite.path != RUNS:
        return  # which calls there are is known when the run is submitted
    try:
        api.post("/runs/check", suite.request)
    except Invalid as error:
        raise Invalid(f"{suite.source.argument}: {error.message}", error.field_errors) from None


def _follow(
    api: ApiClient, suite: str, submit: Callable[[], Any], local: LocalExecution | None, interruption: Interruption
) -> "ReportedRun":
    """Submit a run, follow it to its end, and print its summary."""
    from promptuary.evaluation.reports.terminal import terminal_lines

    run = read_run(api, submit_and_wait(api, suite, submit, local, interruption))
    for text in terminal_lines(run, read_errors(api, run)):
        print_line(text)
    if run.state == "stopped":
        print_line(f"  to continue it: promptuary eval run {suite} --resume {run.id} --max-cost …")
    elif run.state == "interrupted":
        print_line(f"  to continue it: promptuary eval run {suite} --resume {run.id}")
    elif run.state == "finished":
        print_line(f"  MLflow run: {run.tracking_id or NOT_DELIVERED}")
    return run


def submit_and_wait(
    api: ApiClient,
    suite: str,
    submit: Callable[[], Any],
    local: LocalExecution | None,
    interruption: Interruption,
    progress: Callable[[str], AbstractContextManager[OnProgress]] = show_progress,
) -> str:
    """Submit a run and wait for its end. Where that cannot be waited for, stop the run, and print how to continue it.

    Args:
        api: the service.
        suite: a file, or the name of a suite in the registry, with which the run can be resumed.
        submit: submits the run, and returns it.
        local: executes the run in this process; None where a server's worker does.
        interruption: ends the run when a signal comes.
        progress: yields what shows the progress of a suite's run.

    Returns:
        The run's id.

    Raises:
        RunInterrupted: when a signal ended the run.
    """
    if local is not None and Path(suite).is_file():
        local = replace(local, folder=Path(suite).parent)
    queued: Any = None
    try:
        with interruption.deferred():
            queued = submit()
        with progress(queued["suite"]) as on_progress:
            _wait_for_run(api, queued["id"], on_progress, local, interruption)
    except KeyboardInterrupt:
        if queued is None:
            raise
        with interruption.ignored():
            _interrupt(api, suite, queued)
        raise RunInterrupted from None
    except Exception:
        if queued is not None and local is not None:  # the next worker must not continue it unasked
            _interrupt(api, suite, queued)
        raise
    return str(queued["id"])


def _interrupt(api: ApiClient, suite: str, queued: Any) -> None:
    """Stop a run wherever it is executed, so that nobody continues it by themselves; print what became of it."""
    run_id = queued["id"]
    try:
        run = api.get(f"/runs/{path_segment(run_id)}")
        if run["state"] in ("queued", "running"):
            run = api.post(f"/runs/{path_segment(run_id)}/interrupt", {})
    except PromptuaryError as error:
        print_notice(f"{queued['suite']}: the run {run_id} could not be stopped: {error}")
        print_notice(f"  to end it: promptuary eval cancel {run_id}")
        return
    if run["state"] != "interrupted":
        print_notice(f"{run['suite']}: the run {run_id} is {run['state']}; to see it: promptuary eval show {run_id}")
        return
    results = f"{run['done']} of {run['total']} results"
    print_notice(f"{run['suite']}: the run {run_id} is interrupted; its {results} are kept, and nobody continues it unasked")
    print_notice(f"  to continue it: promptuary eval run {suite} --resume {run_id}")
    print_notice(f"  to end it: promptuary eval cancel {run_id}")


def _resume(api: ApiClient, run_id: str, max_cost: float | None) -> Any:
    """Continue a run, under a new cost limit if there is one; a run that its cost limit stopped needs one."""
    run = api.get(f"/runs/{path_segment(run_id)}")
    if max_cost is None and run["state"] not in ("stopped", "interrupted"):
        return run
    return api.post(f"/runs/{path_segment(run_id)}/resume", {"max_cost": max_cost})


def _wait_for_run(
    api: ApiClient, run_id: str, on_progress: OnProgress, local: LocalExecution | None, interruption: Interruption
) -> None:
    """Execute a run here, or wait until a worker has finished it, and a little longer until MLflow has it."""
    patience = TRACKING_SECONDS
    while True:
        run = api.get(f"/runs/{run_id}")
        on_progress(RunProgress(run["done"], run["total"], run["spent"]))
        ended = run["state"] not in ("queued", "running")
        if ended and (run["tracking_id"] or run["state"] != "finished" or patience <= 0):
            return
        if not ended and local is not None and local.execute(run_id, on_progress, interruption):
            local.deliver_to_mlflow()
            return
        patience -= POLL_SECONDS if ended else 0
        time.sleep(POLL_SECONDS)
        if interruption.requested.is_set():  # another thread has the signal; in this one it raised this error itself
            raise KeyboardInterrupt
