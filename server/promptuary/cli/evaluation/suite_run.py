"""A suite's run from its submission to its end: by a worker where there is a server, else in this process."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from promptuary.cli.connection import ApiClient, path_segment
from promptuary.cli.evaluation.local_execution import LocalExecution
from promptuary.cli.evaluation.progress import OnProgress, RunProgress, show_progress
from promptuary.cli.evaluation.reports import read_run
from promptuary.cli.evaluation.suites import PromptfooOptions, register_candidate, store_suite
from promptuary.cli.output import print_line
from promptuary.prompt.files.prompt_file import read_prompt_folder
from promptuary.prompt.numbers import parse_version_number

if TYPE_CHECKING:
    from promptuary.evaluation.reports.reported_run import ReportedRun

POLL_SECONDS = 0.5
TRACKING_SECONDS = 15.0
"""Seconds to wait for MLflow after a worker has finished a run."""


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
    """

    prompts: Path | None = None
    baseline: str | None = None
    models: Sequence[str] | None = None
    repeats: int | None = None
    max_cost: float | None = None
    cache: bool = True
    resume: str | None = None
    promptfoo: PromptfooOptions = field(default_factory=PromptfooOptions)

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


def run_suite(api: ApiClient, suite: str, options: RunOptions, local: LocalExecution | None) -> "ReportedRun":
    """Run one suite to its end and print its summary.

    Args:
        api: the service.
        suite: a suite's file, or the name of one in the registry.
        options: what to run.
        local: executes the run in this process; None where a server's worker does.

    Returns:
        The run with its summary.
    """
    from promptuary.evaluation.reports.terminal import terminal_lines

    queued = _submit(api, suite, options) if options.resume is None else _resume(api, options.resume, options.max_cost)
    with show_progress(queued["suite"]) as on_progress:
        _wait_for_run(api, queued["id"], on_progress, local)
    run = read_run(api, queued["id"])
    for text in terminal_lines(run):
        print_line(text)
    if run.state == "stopped":
        print_line(f"  to continue it: promptuary eval run {suite} --resume {run.id} --max-cost …")
    elif run.state == "finished":
        print_line(f"  MLflow run: {run.tracking_id or 'not delivered yet; the worker delivers it when MLflow answers'}")
    return run


def _submit(api: ApiClient, suite: str, options: RunOptions) -> Any:
    """Store the suite and the versions to try, and submit a run of them."""
    prompts = read_prompt_folder(options.prompts) if options.prompts else None
    stored = store_suite(api, suite, options.promptfoo)
    version = None if prompts is None else register_candidate(api, prompts, stored.prompt)
    request = {
        "suite": stored.name,
        "version": version,
        "versions": list(stored.versions) if stored.versions and version is None else None,
        "baseline": options.baseline_reference,
        "models": options.models,
        "repeats": options.repeats,
        "max_cost": options.max_cost,
        "cache": options.cache,
    }
    return api.post("/runs", request)


def _resume(api: ApiClient, run_id: str, max_cost: float | None) -> Any:
    """Continue a run, under a new cost limit if there is one; a run that its cost limit stopped needs one."""
    run = api.get(f"/runs/{path_segment(run_id)}")
    if max_cost is None and run["state"] != "stopped":
        return run
    return api.post(f"/runs/{path_segment(run_id)}/resume", {"max_cost": max_cost})


def _wait_for_run(api: ApiClient, run_id: str, on_progress: OnProgress, local: LocalExecution | None) -> None:
    """Execute a run here, or wait until a worker has finished it, and a little longer until MLflow has it."""
    patience = TRACKING_SECONDS
    while True:
        run = api.get(f"/runs/{run_id}")
        on_progress(RunProgress(run["done"], run["total"], run["spent"]))
        ended = run["state"] not in ("queued", "running")
        if ended and (run["tracking_id"] or run["state"] != "finished" or patience <= 0):
            return
        if not ended and local is not None and local.execute(run_id, on_progress):
            local.deliver_to_mlflow()
            return
        patience -= POLL_SECONDS if ended else 0
        time.sleep(POLL_SECONDS)
