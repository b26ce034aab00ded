"""The rules of replays: sampled calls become a dataset's next version, or the cases of a run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from promptuary.access import audit
from promptuary.access.contents import read_without_response
from promptuary.access.role import Scope
from promptuary.access.unit_of_work import UnitOfWork
from promptuary.core.errors import FieldError, InvalidRequest
from promptuary.evaluation.datasets import store as dataset_store
from promptuary.evaluation.datasets.service import DatasetService
from promptuary.evaluation.datasets.store import DatasetVersion
from promptuary.evaluation.plan import TrafficPart
from promptuary.evaluation.runs.recorded_baseline import RecordedBaseline
from promptuary.evaluation.runs.request import RunRequest
from promptuary.evaluation.runs.service import RunService
from promptuary.evaluation.runs.store import Run
from promptuary.evaluation.runs.submission import resolve_candidates, suite_for_run
from promptuary.evaluation.suites.service import SuiteService
from promptuary.evaluation.suites.suite import Suite
from promptuary.prompt.digest import content_from_json
from promptuary.prompt.templates.preparation import prepare
from promptuary.registry import version_store
from promptuary.registry.labels import require_prompt
from promptuary.registry.service import Registry
from promptuary.registry.store import PromptRecord
from promptuary.review.queues.case_key import case_key
from promptuary.traffic.replay import store
from promptuary.traffic.replay.candidate_fit import mismatch_finder
from promptuary.traffic.replay.cases import ReplayCases, build_cases, merge_inputs
from promptuary.traffic.replay.sampled_call import SampledCall
from promptuary.traffic.replay.selection import CallSelection, choose_calls

NAME_LIMIT = 128
CASES_NAME, OUTPUTS_NAME = ".traffic", ".traffic-outputs"


@dataclass(frozen=True)
class TrafficDataset:
    """What became of sampled calls.

    Attributes:
        version: of the dataset; None where no case was added to one that does not exist.
        calls: how many sampled calls were selected.
        added: how many cases are new.
        present: how many inputs the dataset had already, with whatever expected output.
        dropped: how many calls make no case, by the reason.
        dropped_share: the share of all calls that these stand for.
        examples: the ids of the first ones, by the reason.
    """

    version: DatasetVersion | None
    calls: int
    added: int
    present: int
    dropped: Mapping[str, int]
    dropped_share: float
    examples: Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class TrafficReplay:
    """Datasets and runs made of sampled calls, on behalf of a caller."""

    unit: UnitOfWork

    def add_to_dataset(self, prompt: str, dataset: str, selection: CallSelection) -> TrafficDataset:
        """Add the inputs of sampled calls to a dataset, as its next version.

        Cases that the dataset has stay as they are, gold ones among them: an input that it has is not added again, and its
        weight does not grow, so that the same command twice changes nothing.

        Raises:
            NotFound: for an unknown prompt.
            Forbidden: where the caller may not change datasets.
            InvalidRequest: where the dataset would be empty.
        """
        self.unit.caller.require_change(Scope.DATASET_WRITE, f"the dataset '{dataset}'")
        record, calls = self._calls(prompt, selection)
        replay = build_cases(calls, self._erased(record), needs_answer=False)
        session, project = self.unit.session, self.unit.caller.project
        dataset_store.lock_dataset(session, project, dataset)
        newest = dataset_store.get_dataset_version(session, project, dataset)
        stored = () if newest is None else dataset_store.iterate_cases(session, newest.id)
        present = [case for case in stored if not case.erased]
        known, ids = {case_key(case) for case in present}, {case.id for case in present}
        merged = merge_inputs(replay.cases)
        new = [case for case in merged if case_key(case) not in known and case.id not in ids]
        version = newest
        if new:
            version = DatasetService(self.unit).put_version(dataset, [*present, *new]).version
            detail = {"version": version.number, "prompt": prompt, "calls": len(calls), "added": len(new)}
            audit.record_change(self.unit, "dataset.from_traffic", dataset, detail)
        elif newest is None:
            raise InvalidRequest("no dataset can be made", [FieldError("prompt", _no_case(prompt, calls, replay))])
        dropped = replay.dropped
        return TrafficDataset(
            version, len(calls), len(new), len(merged) - len(new), dropped.counts, replay.dropped_share, dropped.examples
        )

    def submit(self, request: RunRequest, selection: CallSelection) -> Run:
        """Queue a run of a suite on sampled calls, whose answers are the baseline `production`.

        Raises:
            NotFound: for an unknown suite or candidate.
            Forbidden: where the caller may not submit runs, or store datasets.
            InvalidRequest: for a suite without a prompt, cases selected in another way, or no call that can be replayed.
        """
        caller = self.unit.caller
        caller.require(Scope.RUN_WRITE)
        stored = SuiteService(self.unit).get(request.suite)
        suite = suite_for_run(stored, request.models, request.repeats)
        if suite.prompt is None:
            message = "it evaluates an application; calls of production are replayed on versions of a prompt"
            raise InvalidRequest("the run cannot be submitted", [FieldError("suite", message)])
        record, calls = self._calls(suite.prompt, selection)
        registry = Registry(self.unit)
        versions = [variant.version or 0 for variant in resolve_candidates(registry, suite, request)]
        with read_without_response(self.unit.session):  # a run has names and digests
            contents = [content_from_json(registry.version(suite.prompt, number).content) for number in versions]
        candidates = [prepare(content, jinja2=self.unit.settings.jinja2) for content in contents]
        replay = build_cases(calls, self._erased(record), mismatch_finder(candidates), needs_answer=True)
        if not replay.cases:
            message = _no_case(suite.prompt, calls, replay)
            raise InvalidRequest("the run cannot be submitted", [FieldError("from_traffic", message)])
        return RunService(self.unit).submit(request, recorded=self._recorded(suite, calls, replay, selection))

    def _recorded(
        self, suite: Suite, calls: Sequence[SampledCall], replay: ReplayCases, selection: CallSelection
    ) -> RecordedBaseline:
        datasets = DatasetService(self.unit)
        cases, outputs = (
            datasets.put_version(_name(suite.name, ending), stored).version
            for ending, stored in ((CASES_NAME, replay.cases), (OUTPUTS_NAME, replay.outputs))
        )
        traffic = TrafficPart(
            since=selection.since.isoformat(timespec="seconds"),
            until=selection.until.isoformat(timespec="seconds"),
            calls=len(calls),
            replayed=replay.replayed,
            dropped=replay.dropped.counts,
            dropped_share=replay.dropped_share,
            examples=replay.dropped.examples,
        )
        return RecordedBaseline(cases, outputs, traffic)

    def _calls(self, prompt: str, selection: CallSelection) -> tuple[PromptRecord, list[SampledCall]]:
        record = require_prompt(self.unit, prompt)
        calls = store.list_calls(self.unit.session, self.unit.caller.project, record.id, selection)
        return record, choose_calls(calls, selection)

    def _erased(self, record: PromptRecord) -> frozenset[int]:
        return frozenset(version_store.erased_numbers(self.unit.session, record))


def _name(suite: str, ending: str) -> str:
    return suite[: NAME_LIMIT - len(ending)] + ending


def _no_case(prompt: str, calls: Sequence[SampledCall], replay: ReplayCases) -> str:
    """Return why sampled calls make no case."""
    if not calls:
        return f"the sample has no settled call of '{prompt}' in this time; calls settle when their wait is over"
    reasons = ", ".join(f"{count} {reason}" for reason, count in replay.dropped.counts.items())
    return f"none of the {len(calls)} sampled calls of '{prompt}' can be replayed: {reasons}"
