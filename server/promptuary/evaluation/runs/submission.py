"""What a run is to do, decided when it is submitted: which versions under which models, on which cases."""

from collections.abc import Sequence
from dataclasses import replace

from pydantic import ValidationError

from promptuary.core.errors import InvalidRequest, NotFound
from promptuary.evaluation.evidence import store as evidence_store
from promptuary.evaluation.plan import DatasetRef, Plan, Variant, VariantRole
from promptuary.evaluation.runs.store import DatasetVersion, StoredSuite
from promptuary.evaluation.suites.suite import Suite, suite_digest, suite_to_json
from promptuary.prompt.validation_errors import field_errors_from
from promptuary.registry.service import Registry


def suite_for_run(stored: StoredSuite, models: Sequence[str] | None, repeats: int | None) -> Suite:
    """Give the suite with what the run changes in it.

    Raises:
        InvalidRequest: with every fault, as for a suite that is written.
    """
    changes = {"models": list(models) if models is not None else None, "repeats": repeats}
    try:
        return Suite.model_validate(stored.definition | {name: value for name, value in changes.items() if value is not None})
    except ValidationError as error:
        raise InvalidRequest("the run cannot be done", field_errors_from(error)) from None


def resolve_candidates(
    registry: Registry, suite: Suite, label: str | None, version: int | None, versions: Sequence[int] | None = None
) -> list[Variant]:
    """Find the candidates: by a label, by a version, by several, or else by the suite's label.

    Raises:
        InvalidRequest: when more than one way is given, or two versions have the same content.
        NotFound: for an unknown prompt, label or version.
    """
    if sum(given is not None for given in (label, version, versions)) > 1:
        raise InvalidRequest("give a label, a version or several versions as the candidate, not more than one of these")
    wanted: list[int | str] = list(versions) if versions else [version if version is not None else label or suite.label]
    found = [_variant(registry, suite.prompt, reference, VariantRole.CANDIDATE) for reference in wanted]
    if len({variant.digest for variant in found}) < len(found):
        raise InvalidRequest("two of the versions have the same content; give each once")
    return found


def build_plan(
    registry: Registry,
    suite: Suite,
    dataset: DatasetVersion,
    candidates: Sequence[Variant],
    baseline: int | str | None,
    concurrency: int,
) -> Plan:
    """Make the plan: the candidates, the baselines that are asked for or that the gate names, each under each model.

    Args:
        registry: where versions are.
        suite: as it is to be run.
        dataset: the cases.
        candidates: without a model.
        baseline: a version or a label to compare with, beside those that the gate names.
        concurrency: where the suite says none.

    Raises:
        NotFound: for a baseline that was asked for and is unknown.
    """
    variants, missing = _variants(registry, suite, candidates, baseline)
    unit = registry.unit
    held = evidence_store.collection_digests(unit.session, unit.caller.project, (variant.collection for variant in variants))
    variants = [replace(one, context_digest=held.get(one.collection)) if one.collection else one for one in variants]
    return Plan(
        suite=suite_to_json(suite),
        suite_digest=suite_digest(suite),
        dataset=DatasetRef(dataset.id, dataset.name, dataset.number, dataset.digest, dataset.cases),
        variants=tuple(_under(variant, model, suite.models) for variant in variants for model in suite.models),
        repeats=suite.repeats,
        concurrency=suite.concurrency or concurrency,
        missing=missing,
    )


def _variants(
    registry: Registry, suite: Suite, candidates: Sequence[Variant], baseline: int | str | None
) -> tuple[list[Variant], tuple[str, ...]]:
    """Find the baselines; one that has a candidate's content, or another's, is not run twice."""
    variants, missing = list(candidates), []
    wanted = [baseline] if baseline is not None else []
    gated = [gate.not_worse_than for gate in suite.gate if gate.not_worse_than is not None]
    for reference in dict.fromkeys([*wanted, *gated]):
        try:
            found = _variant(registry, suite.prompt, reference, VariantRole.BASELINE)
        except NotFound:
            if reference == baseline:
                raise
            missing.append(str(reference))
            continue
        same = next((place for place, one in enumerate(variants) if one.digest == found.digest), None)
        if same is None:
            variants.append(found)
        else:
            references = tuple(dict.fromkeys([*variants[same].references, *found.references]))
            variants[same] = replace(variants[same], references=references)
    return variants, tuple(missing)


def _variant(registry: Registry, prompt: str, reference: int | str, role: VariantRole) -> Variant:
    if isinstance(reference, int):
        found = registry.lookup(prompt, version=reference).version
        reference = f"version {reference}"
    else:
        found = registry.lookup(prompt, label=reference).version
    collection = (found.content.get("context") or {}).get("collection")
    return Variant(f"v{found.number}", role, "", prompt, found.number, found.digest, (reference,), collection)


def _under(variant: Variant, model: str, models: Sequence[str]) -> Variant:
    """Give a variant its model, and its model's name where there are several."""
    return replace(variant, model=model, name=f"{variant.name}·{model}" if len(models) > 1 else variant.name)
