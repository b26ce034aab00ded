"""Building the evidence of a finished run. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from pydantic import ValidationError

from promptuary.evaluation.applications.spec import ApplicationType
from promptuary.evaluation.evidence.evidence import ContextEvidence, Evidence, JudgeIdentity, TargetEvidence
from promptuary.evaluation.json_object import JsonObject
from promptuary.evaluation.plan import Variant
from promptuary.evaluation.runs.store import Run
from promptuary.evaluation.scorers.catalog import find_scorer_type
from promptuary.evaluation.scorers.factory import judge_digest
from promptuary.evaluation.scorers.spec import INVERSE, ScorerSpec
from promptuary.evaluation.suites.suite import Suite
from promptuary.evaluation.summary_model import Summary, VariantRole
from promptuary.evaluation.verdict.gate import verdict_of
from promptuary.statistics.verdict import Verdict


def build_evidence(
    run: Run,
    summary: Summary,
    digests_at_end: Mapping[str, str | None],
    at: datetime,
    case_scorers: Iterable[JsonObject] = (),
) -> list[Evidence]:
    """Build one row for each candidate.

    Args:
        run: all of whose results are stored.
        summary: of the run.
        digests_at_end: of the content of each collection of the plan, by name; None for one that does not exist any more.
        at: when the run finishes.
        case_scorers: the scorers of single cases, as JSON.
    """
    plan, suite = run.plan, Suite.model_validate(run.plan.suite)
    judges = tuple(list_judges(suite.scorers, case_scorers))
    types = {target.variant_name: target.type for target in suite.targets}
    return [
        Evidence(
            id=0,
            project=run.project,
            run=run.id,
            variant=variant.name,
            prompt=variant.prompt,
            version=variant.version,
            digest=variant.digest,
            model=variant.model,
            suite=run.suite,
            suite_digest=plan.suite_digest,
            dataset=plan.dataset.name,
            dataset_digest=plan.dataset.digest,
            judges=judges,
            context=_context(variant, digests_at_end),
            target=_target(variant, types, summary),
            verdict=Verdict.INFRASTRUCTURE if summary.infrastructure else verdict_of(summary.gates_of(variant.name)),
            gates=summary.gates_of(variant.name),
            at=at,
        )
        for variant in plan.variants
        if variant.role is VariantRole.CANDIDATE
    ]


def list_judges(scorers: Sequence[ScorerSpec], case_scorers: Iterable[JsonObject] = ()) -> list[JudgeIdentity]:
    """Return the scorers that ask a model, nested ones included.

    Args:
        scorers: of the suite.
        case_scorers: the scorers of single cases, as JSON; equal judges among them are listed once, without a metric.
    """
    judges = [_identity(spec, spec.metric) for spec in _asking_specs(scorers)]
    for body in filter(_asks_model, case_scorers):
        try:
            spec = ScorerSpec.of_case(body)
        except ValidationError:  # its plug-in is not installed any more: its cases have errors, and no judge
            continue
        for nested in _asking_specs([spec]):
            judge = _identity(nested, None)
            if judge not in judges:
                judges.append(judge)
    return judges


def _asks_model(body: JsonObject) -> bool:
    """Return whether a scorer, or one nested in it, asks a model; without validation, since a dataset may have very many."""
    scorer_type = find_scorer_type(str(body.get("type")).removeprefix(INVERSE))
    return scorer_type is not None and (scorer_type.judged or any(map(_asks_model, body.get("assert", ()))))


def _identity(spec: ScorerSpec, metric: str | None) -> JudgeIdentity:
    return JudgeIdentity(
        metric=metric, type=spec.type, model=None if spec.model is None else str(spec.model), digest=judge_digest(spec)
    )


def _asking_specs(specs: Sequence[ScorerSpec]) -> Iterator[ScorerSpec]:
    for spec in specs:
        scorer_type = find_scorer_type(spec.type_name)
        if scorer_type is not None and scorer_type.judged:
            yield spec
        yield from _asking_specs(spec.asserts or ())


def _target(variant: Variant, types: Mapping[str, ApplicationType], summary: Summary) -> TargetEvidence | None:
    if variant.target is None:
        return None
    figures = summary.variant(variant.name)
    versions = figures.target_versions if figures is not None else ()
    return TargetEvidence(name=variant.target, type=types[variant.name], versions=versions, changed=len(versions) > 1)


def _context(variant: Variant, digests_at_end: Mapping[str, str | None]) -> ContextEvidence | None:
    if variant.collection is None:
        return None
    digest_at_end = digests_at_end.get(variant.collection)
    return ContextEvidence(
        collection=variant.collection,
        digest=variant.context_digest,
        digest_at_end=digest_at_end,
        changed=variant.context_digest != digest_at_end,
    )
