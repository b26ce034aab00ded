"""A run as the reports show it, parsed once from the API's JSON."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from promptuary.evaluation.reports.run_comparison import ReportedComparison
from promptuary.evaluation.summary_model import GateResult, Summary, VariantRole
from promptuary.prompt.text import replace_surrogates
from promptuary.statistics.verdict import Verdict


@dataclass(frozen=True)
class ReportedVariant:
    """A variant of the run's plan.

    Attributes:
        name: unique in the run.
        role: candidate or baseline.
        prompt: the prompt's name; None for an application.
        version: its number; None for an application.
        model: in LangChain's `provider:model` form; empty for an application.
        digest: of the version's content, or of the application's definition.
        target: the application's name; None for a prompt.
        target_version: of the application, as the suite states it.
    """

    name: str
    role: VariantRole
    prompt: str | None
    version: int | None
    model: str
    digest: str
    target: str | None = None
    target_version: str | None = None

    @property
    def subject(self) -> str:
        """What the variant is: a prompt's version under a model, or an application."""
        if self.target is not None:
            return self.target + (f" {self.target_version}" if self.target_version else "")
        return f"{self.prompt} v{self.version}, {self.model}"

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Self:
        """Build it from the API's JSON."""
        role = VariantRole(body["role"])
        return cls(
            name=body["name"],
            role=role,
            prompt=body["prompt"],
            version=body["version"],
            model=body["model"],
            digest=body["digest"],
            target=body.get("target"),
            target_version=body.get("target_version"),
        )


@dataclass(frozen=True)
class ReportedDataset:
    """The dataset version that the run is about."""

    name: str
    number: int
    cases: int
    digest: str


@dataclass(frozen=True)
class ReportedPart:
    """Of which dataset the cases of the run are a part, as `evaluation.plan.DatasetPart` has it."""

    dataset: str
    number: int
    cases: int
    failing_in: str | None
    sample: int | None
    seed: int
    erased: int = 0


@dataclass(frozen=True)
class ReportedTraffic:
    """Of which calls of production the cases of the run are made, as `evaluation.plan.TrafficPart` has it."""

    since: str
    until: str
    calls: int
    replayed: int
    dropped: Mapping[str, int]
    dropped_share: float
    examples: Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class LabelledDecision:
    """The verdict and the gate of a finished run, as labels of people decide them now."""

    verdict: Verdict
    gates: tuple[GateResult, ...]

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Self:
        """Build it from the JSON of `GET /runs/{id}/corrections`."""
        return cls(Verdict(body["verdict"]), tuple(GateResult.model_validate(gate) for gate in body["gates"]))


@dataclass(frozen=True)
class ReportedRun:
    """A run with its summary.

    Attributes:
        id: the run's id.
        suite: the suite's name.
        prompt: the prompt's name; None where the run evaluates applications.
        state: as the API names it: `finished`, `stopped`, `failed` …
        verdict: None while there is none.
        error: why the run stopped or failed; None where it did not.
        done: the number of results.
        total: the number of results of a complete run.
        variants: in the plan's order.
        summary: None where the run has none.
        summary_json: the summary as the API sent it, for the JSON report, which writes it without a change.
        actor: who submitted the run.
        spent: in US dollars.
        started_at: in ISO 8601, UTC; None before the start.
        finished_at: in ISO 8601, UTC; None before the end.
        tracking_id: the id of the MLflow run; None before its delivery.
        suite_digest: of the suite that was run.
        dataset: None where the API does not state it.
        part: of which dataset the run has a part of the cases; None for all of them.
        traffic: of which calls of production the cases are made; None for a dataset of the suite.
        comparison: with an earlier run, where one was named as the baseline.
        labelled: what labels of people decide now; None where no model judges, or it was not read.
    """

    id: str
    suite: str
    prompt: str | None
    state: str
    verdict: Verdict | None
    error: str | None
    done: int
    total: int
    variants: tuple[ReportedVariant, ...]
    summary: Summary | None
    summary_json: object
    actor: str | None = None
    spent: float | None = None
    started_at: str | None = None
    finished_at: str | None = None
    tracking_id: str | None = None
    suite_digest: str | None = None
    dataset: ReportedDataset | None = None
    part: ReportedPart | None = None
    traffic: ReportedTraffic | None = None
    comparison: ReportedComparison | None = None
    labelled: LabelledDecision | None = None

    @property
    def targets(self) -> tuple[str, ...]:
        """The names of the applications that the run evaluates, each once."""
        targets = (variant.target for variant in self.variants if variant.prompt is None)
        return tuple(dict.fromkeys(target for target in targets if target is not None))

    @property
    def candidates(self) -> frozenset[str]:
        """The names of the variants that the run is about."""
        return frozenset(variant.name for variant in self.variants if variant.role is VariantRole.CANDIDATE)

    @classmethod
    def from_json(cls, body: Mapping[str, Any], corrections: Mapping[str, Any] | None = None) -> Self:
        """Build it from the JSON of `GET /runs/{id}`, and of its `/corrections` where these were read.

        A lone surrogate in a text becomes U+FFFD.

        Raises:
            ValueError: when the summary, the verdict or a role is not one of this release.
        """
        if corrections is not None:
            later = {name: corrections[name] for name in ("judges", "corrections")}
            body = {**body, "summary": {**body["summary"], **later}}
        summary_json = body["summary"]
        clean: Mapping[str, Any] = json.loads(replace_surrogates(json.dumps(body, ensure_ascii=False)))
        plan = clean.get("plan") or {}
        dataset = plan.get("dataset")
        summary = None if summary_json is None else Summary.from_json(clean["summary"])
        return cls(
            id=body["id"],
            suite=clean["suite"],
            prompt=clean["prompt"],
            state=body["state"],
            verdict=_verdict(body["verdict"], summary),
            error=clean["error"],
            done=body["done"],
            total=body["total"],
            variants=tuple(ReportedVariant.from_json(variant) for variant in clean["variants"]),
            summary=summary,
            summary_json=summary_json,
            actor=clean.get("actor"),
            spent=body.get("spent"),
            started_at=body.get("started_at"),
            finished_at=body.get("finished_at"),
            tracking_id=body["tracking_id"],
            suite_digest=plan.get("suite_digest"),
            dataset=dataset and ReportedDataset(dataset["name"], dataset["number"], dataset["cases"], dataset["digest"]),
            part=ReportedPart(**plan["part"]) if plan.get("part") else None,
            traffic=ReportedTraffic(**plan["traffic"]) if plan.get("traffic") else None,
            labelled=None if corrections is None else LabelledDecision.from_json(corrections),
        )


def _verdict(stored: str | None, summary: Summary | None) -> Verdict | None:
    """Return the verdict of a run. Before there was *no gate*, a run without a gate was stored as a pass."""
    if stored is None:
        return None
    verdict = Verdict(stored)
    return Verdict.NO_GATE if verdict is Verdict.PASS and summary is not None and not summary.gates else verdict
