"""What a finished run showed of each candidate, with the digests of all that it rests on.

For whoever lets a version through on evidence. One row a candidate variant, which is one version under one model, written in
the transaction that finishes the run, and never changed; a run that failed or was cancelled gives none. To rely on it:

- Take rows by the **digest** of the prompt's content, never by its number: what was tried is what is let through.
- Ask for today's digests: `suite_digest` and `dataset_digest` must be those of the suite and the dataset as they stand, else
  the demands or the cases have changed since. The suite's digest covers models, repeats, scorers and gate, so that a run
  under other models or with other repeats than the suite's has another digest.
- `verdict` is the candidate's own: the worst of its `gates`, or `infrastructure` where too much of the run could not be done.
  Only `pass` lets through, and only with **gates that are not empty**: a suite without a gate demands nothing, and passes.
- A suite with several models gives a row for each; all of one run belong together.
- `judges` lists every model that judged, with the digest of the instruction and the form of the answer that it was asked by;
  another digest is another yardstick. What it was to judge by, as a rubric, is in the suite's digest.
- `context` is None where the version retrieves nothing. Else it has the collection, the digest of what that held when the run
  was submitted and when it ended, and `changed`: then some cases may have been answered on other documents, and what the row
  says is of neither state.
- Several rows may fit. The newest is not the better one: who takes the best of many runs lets chance through.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from promptuary.evaluation.evidence.store import Evidence
from promptuary.evaluation.plan import Variant, VariantRole
from promptuary.evaluation.runs.store import Run
from promptuary.evaluation.scorers.catalog import find_scorer_type
from promptuary.evaluation.scorers.judge.judge import judge_digest
from promptuary.evaluation.scorers.spec import INVERSE, ScorerSpec
from promptuary.evaluation.suites.suite import Suite
from promptuary.statistics.verdict import Verdict, worst_verdict


def build_evidence(
    run: Run,
    summary: Mapping[str, Any],
    held: Mapping[str, str | None],
    at: datetime,
    asserts: Iterable[Mapping[str, Any]] = (),
) -> list[Evidence]:
    """Say what a run showed, one row a candidate.

    Args:
        run: whose results are all there.
        summary: of it.
        held: what each of the plan's collections holds now, by name; None for one that is gone.
        at: when the run finishes.
        asserts: the scorers of its cases.
    """
    plan, judges = run.plan, list_judges(Suite.model_validate(run.plan.suite).scorers, asserts)
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
            context=_context(variant, held),
            verdict=_verdict(variant, summary).value,
            gates=_gates(variant, summary),
            at=at,
        )
        for variant in plan.variants
        if variant.role is VariantRole.CANDIDATE
    ]


def list_judges(scorers: Sequence[ScorerSpec], asserts: Iterable[Mapping[str, Any]] = ()) -> list[dict[str, Any]]:
    """List the scorers that ask a model, those inside of others too; those of single cases once each, under no metric.

    Args:
        scorers: of the suite.
        asserts: the scorers of its cases.
    """
    judges = [_judge(spec, spec.metric) for spec in _judged(scorers)]
    for body in filter(_asks_a_judge, asserts):
        try:
            spec = ScorerSpec.of_case(body)
        except ValidationError:  # of a plug-in that is gone: its cases have errors, and no judge
            continue
        for inner in _judged([spec]):
            judge = _judge(inner, None)
            if judge not in judges:
                judges.append(judge)
    return judges


def _asks_a_judge(body: Mapping[str, Any]) -> bool:
    """Tell cheaply whether a scorer, or one inside, asks a model: a dataset may bring very many that do not."""
    kind = find_scorer_type(str(body.get("type")).removeprefix(INVERSE))
    return kind is not None and (kind.judged or any(map(_asks_a_judge, body.get("assert", ()))))


def _judge(spec: ScorerSpec, metric: str | None) -> dict[str, Any]:
    return {"metric": metric, "type": spec.type, "model": spec.model, "digest": judge_digest(spec)}


def _judged(specs: Sequence[ScorerSpec]) -> Iterator[ScorerSpec]:
    for spec in specs:
        kind = find_scorer_type(spec.kind)
        if kind is not None and kind.judged:
            yield spec
        yield from _judged(spec.asserts or ())


def _verdict(variant: Variant, summary: Mapping[str, Any]) -> Verdict:
    if summary["infrastructure"]:
        return Verdict.INFRASTRUCTURE
    gates = _gates(variant, summary)
    return worst_verdict(Verdict(gate["verdict"]) for gate in gates) if gates else Verdict.PASS


def _gates(variant: Variant, summary: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [gate for gate in summary["gates"] if gate["candidate"] == variant.name]


def _context(variant: Variant, held: Mapping[str, str | None]) -> dict[str, Any] | None:
    if variant.collection is None:
        return None
    now = held.get(variant.collection)
    digests = {"digest": variant.context_digest, "digest_at_end": now, "changed": variant.context_digest != now}
    return {"collection": variant.collection, **digests}
