"""`evaluate`: run a suite from Python, in this process or on a server, and return its figures and its verdict."""

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from promptuary.cli.connection import ApiClient, connect
from promptuary.cli.evaluation.interruption import Interruption
from promptuary.cli.evaluation.local_execution import LocalExecution
from promptuary.cli.evaluation.reports import read_results, read_run
from promptuary.cli.evaluation.suite_run import RunOptions, prepare, submit_and_wait
from promptuary.cli.evaluation.suites import PromptfooOptions, SuiteSource, read_source, register_contents
from promptuary.core.logs import restored_logging
from promptuary.evaluation.reports.html.html_report import html_report
from promptuary.evaluation.reports.reported_result import ReportedResult
from promptuary.evaluation.reports.reported_run import ReportedRun
from promptuary.evaluation.reports.terminal import terminal_lines
from promptuary.evaluation.summary_model import IntervalFigures, Summary
from promptuary.prompt.content import Content
from promptuary.prompt.errors import FieldError, Invalid
from promptuary.prompt.validation_errors import field_errors_from
from promptuary.statistics.verdict import Verdict

DEFAULT_NAME = "python"
_SUITE_FILE = "suite.yaml"
_HEIGHT = 600


@dataclass(frozen=True)
class EvaluationResult:
    """A run that has ended, with its results; shown as tables and plots in a notebook.

    Attributes:
        run: the run, with its summary.
        results: of all cases, in the file's order.
    """

    run: ReportedRun
    results: tuple[ReportedResult, ...]

    @property
    def verdict(self) -> Verdict | None:
        """The verdict; None where the run did not come to one."""
        return self.run.verdict

    @property
    def passed(self) -> bool:
        """Whether the gate is met, or there is none and the run could be executed."""
        return self.run.verdict in (Verdict.PASS, Verdict.NO_GATE)

    @property
    def summary(self) -> Summary | None:
        """The figures of all variants; None for a run without any."""
        return self.run.summary

    def interval(self, metric: str, variant: str | None = None) -> IntervalFigures | None:
        """Return the mean of a metric with its 95 % interval.

        Args:
            metric: its name.
            variant: its name; None for the first candidate.

        Returns:
            The figures; None where no case has a score.

        Raises:
            KeyError: for a metric or a variant that the run does not have.
        """
        variants = {each.name: each for each in self.run.summary.variants} if self.run.summary else {}
        name = variant or next((each.name for each in self.run.variants if each.name in self.run.candidates), "")
        return variants[name].metrics[metric].interval

    def __str__(self) -> str:
        """Return the figures as the command line prints them."""
        return "\n".join(terminal_lines(self.run))

    def _repr_html_(self) -> str:
        """Return the page of the run for a notebook: tables and plots without a script, a file or the network."""
        page = "".join(html_report(self.run, self.results))
        return f'<iframe sandbox="" srcdoc="{escape(page)}" style="width: 100%; height: {_HEIGHT}px; border: 0"></iframe>'


def evaluate(
    suite: str | Path | Mapping[str, Any] | None = None,
    *,
    cases: Sequence[Mapping[str, Any]] | None = None,
    prompt: str | Mapping[str, Any] | None = None,
    baseline: str | None = None,
    models: Sequence[str] | None = None,
    repeats: int | None = None,
    max_cost: float | None = None,
    cache: bool = True,
    allow_code: bool = False,
    project: str | None = None,
    **fields: Any,
) -> EvaluationResult:
    """Run a suite to its end.

    It runs where the command line runs it: on the server of `PROMPTUARY_URL`, or else in this process, on the data directory.
    It may be called where an event loop runs, as in a notebook.

    Args:
        suite: a file, the name of a suite in the registry, or its definition.
        cases: of a definition that names no file as its dataset.
        prompt: for a definition: the name of a prompt in the registry, or its content as a prompt file has it.
        baseline: a label or a version to compare with.
        models: instead of the suite's.
        repeats: instead of the suite's.
        max_cost: the cost limit in US dollars.
        cache: whether cached responses are used.
        allow_code: whether the suite may run Python code in this process.
        project: without a server.
        fields: of a definition, as `scorers` and `gate`.

    Raises:
        PromptuaryError: for a suite that cannot be run, with every error in it.
    """
    inline = isinstance(suite, Mapping) or suite is None
    if not inline and (cases is not None or prompt is not None or fields):
        names = ", ".join(
            sorted({*fields, *(["cases"] if cases is not None else []), *(["prompt"] if prompt is not None else [])})
        )
        raise Invalid(
            "the suite cannot be run", [FieldError(names, "goes with a suite that is given as a mapping or arguments")]
        )
    options = RunOptions(None, baseline, None if inline else models, None if inline else repeats, max_cost, cache)
    definition: dict[str, Any] = {}
    if inline:
        definition = {**(suite if isinstance(suite, Mapping) else {}), **fields}
        definition |= {name: value for name, value in (("models", models), ("repeats", repeats)) if value is not None}
    interruption, promptfoo = Interruption(), PromptfooOptions(models=options.models)

    def run() -> EvaluationResult:
        with restored_logging(), connect(project, allow_code=allow_code) as api:
            local = None if api.services is None else LocalExecution(api.services, project, deliver=lambda: None)
            if not inline:
                return _run(api, read_source(str(suite), promptfoo), options, local, interruption)
            version = _register(api, definition, prompt)
            with _written(definition, cases) as path:
                source = replace(read_source(str(path), promptfoo), argument=definition["name"])  # the file is temporary
                return _run(api, source, options, local, interruption, version)

    # A thread has no running event loop, which a notebook has.
    with ThreadPoolExecutor(1, thread_name_prefix="evaluate") as executor:
        future = executor.submit(run)
        try:
            return future.result()
        except KeyboardInterrupt:
            interruption.requested.set()
            raise


def _run(
    api: ApiClient,
    source: SuiteSource,
    options: RunOptions,
    local: LocalExecution | None,
    interruption: Interruption,
    version: int | None = None,
) -> EvaluationResult:
    request = dict(prepare(api, source, options).request)
    if version is not None:
        request["version"] = version
    run_id = submit_and_wait(
        api,
        source.argument,
        lambda: api.post("/runs", request),
        local,
        interruption,
        progress=lambda _: nullcontext(lambda _: None),
    )
    return EvaluationResult(read_run(api, run_id), tuple(read_results(api, run_id)))


def _register(api: ApiClient, definition: dict[str, Any], prompt: str | Mapping[str, Any] | None) -> int | None:
    """Set the prompt of a definition; register a content, without a label, and return the number of its version.

    Raises:
        Invalid: for a content that is not valid.
    """
    name = str(definition.setdefault("name", DEFAULT_NAME))
    if prompt is None or isinstance(prompt, str):
        definition |= {} if prompt is None else {"prompt": prompt}
        return None
    try:
        content = Content.model_validate(dict(prompt))
    except ValidationError as error:
        raise Invalid("the prompt cannot be used", field_errors_from(error, "prompt")) from None
    definition.setdefault("prompt", name)
    (number,) = register_contents(api, str(definition["prompt"]), [content], ["from Python"])
    return number


@contextmanager
def _written(definition: dict[str, Any], cases: Sequence[Mapping[str, Any]] | None) -> Iterator[Path]:
    """Write a definition and its cases as files, which are checked as any file is; yield the suite's."""
    with tempfile.TemporaryDirectory(prefix="promptuary-") as folder:
        if cases is not None:
            definition["dataset"] = f"{definition['name']}.jsonl".replace("/", "-")
            numbered = [{"id": str(number), **case} for number, case in enumerate(cases, 1)]
            lines = "".join(json.dumps(case, ensure_ascii=False) + "\n" for case in numbered)
            (Path(folder) / definition["dataset"]).write_text(lines, encoding="utf-8")
        elif isinstance(definition.get("dataset"), str):
            definition["dataset"] = str(Path(definition["dataset"]).absolute())
        path = Path(folder) / _SUITE_FILE
        path.write_text(json.dumps(definition, ensure_ascii=False), encoding="utf-8")
        yield path
