"""The plan of a run, decided when it is submitted: which versions under which models, on which cases."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pydantic import ValidationError

from promptuary.core.errors import InvalidRequest, NotFound
from promptuary.evaluation.datasets.store import DatasetVersion
from promptuary.evaluation.json_object import JsonObject
from promptuary.evaluation.plan import DatasetRef, Plan, Variant
from promptuary.evaluation.runs.context_digests import collection_digests
from promptuary.evaluation.runs.recorded_baseline import PRODUCTION, RecordedBaseline
from promptuary.evaluation.runs.request import RunRequest
from promptuary.evaluation.suites.store import StoredSuite
from promptuary.evaluation.suites.suite import Suite, suite_digest, suite_to_json
from promptuary.evaluation.summary_model import VariantRole
from promptuary.models.model_spec import ModelSpec, column_name
from promptuary.prompt.validation_errors import field_errors_from
from promptuary.registry.service import Registry


def suite_for_run(stored: StoredSuite, models: Sequence[str | ModelSpec] | None, repeats: int | None) -> Suite:
    """Return the suite with the models and repeats of the request, whose models may be labels of the suite's.

    Raises:
        InvalidRequest: with every error, as for a suite that is written.
    """
    models = None if stored.definition.get("prompt") is None else models
    changes = {"models": _named_models(stored, models) if models is not None else None, "repeats": repeats}
    try:
        return Suite.model_validate(stored.definition | {name: value for name, value in changes.items() if value is not None})
    except ValidationError as error:
        raise InvalidRequest("the run cannot be submitted", field_errors_from(error)) from None


def _named_models(stored: StoredSuite, models: Sequence[str | ModelSpec]) -> list[str | ModelSpec | JsonObject]:
    """Return models, those of the suite with their settings where they are named by label or as results name them."""
    known: dict[str, JsonObject] = {}
    for entry in stored.definition["models"]:
        if isinstance(entry, dict):
            spec = ModelSpec.model_validate(entry)
            known |= {name: entry for name in (column_name(spec), str(spec))}
    return [known.get(model, model) if isinstance(model, str) else model for model in models]


def resolve_candidates(registry: Registry, suite: Suite, request: RunRequest) -> list[Variant]:
    """Return the candidates, without a model: by the request's label, version or versions, else by the suite's label.

    Raises:
        InvalidRequest: when the request names candidates in more than one way, or two versions have the same content.
        NotFound: for an unknown prompt, label or version.
    """
    if sum(reference is not None for reference in (request.label, request.version, request.versions)) > 1:
        raise InvalidRequest("give a label, a version or several versions as the candidate, not more than one of these")
    references: list[int | str]
    if request.versions:
        references = list(request.versions)
    else:
        references = [request.version if request.version is not None else request.label or suite.label]
    candidates = [_variant(registry, suite.prompt or "", reference, VariantRole.CANDIDATE) for reference in references]
    if len({variant.digest for variant in candidates}) < len(candidates):
        raise InvalidRequest("two of the versions have the same content; give each once")
    return candidates


@dataclass(frozen=True)
class Baselines:
    """What candidates are compared with, besides the labels that the gate names.

    Attributes:
        reference: a version or a label; None for none.
        recorded: what production answered, which takes the place of the label `production`; None where every variant is called.
    """

    reference: int | str | None = None
    recorded: RecordedBaseline | None = None

    def references(self, suite: Suite) -> list[int | str]:
        """Return the versions and labels to look up, each once."""
        gated = [demand.not_worse_than for demand in suite.gate if demand.not_worse_than is not None]
        requested = [] if self.reference is None else [self.reference]
        recorded = () if self.recorded is None else (PRODUCTION,)
        return [each for each in dict.fromkeys([*requested, *gated]) if each not in recorded]


def build_plan(
    registry: Registry, suite: Suite, dataset: DatasetVersion, candidates: Sequence[Variant], baselines: Baselines
) -> Plan:
    """Build the plan: the candidates, and the baselines that the request or the gate names, each under each model.

    Args:
        registry: where versions are looked up.
        suite: as it is to be run.
        dataset: the cases.
        candidates: without a model.
        baselines: to compare with, besides the labels that the gate names.

    Raises:
        NotFound: when the request's baseline is unknown.
    """
    variants, missing = _variants(registry, suite, candidates, baselines)
    unit = registry.unit
    collections = (variant.collection for variant in variants)
    digests = collection_digests(unit.session, unit.caller.project, collections)
    variants = [
        replace(variant, context_digest=digests.get(variant.collection)) if variant.collection else variant
        for variant in variants
    ]
    under_models = [_under(variant, model, suite.models) for variant in variants for model in suite.models]
    recorded, outputs = baselines.recorded, dict[str, DatasetRef]()
    if recorded is not None:
        under_models.append(recorded.variant(suite.prompt or ""))
        outputs[PRODUCTION] = recorded.outputs_reference
    return Plan(
        suite=suite_to_json(suite),
        suite_digest=suite_digest(suite),
        dataset=DatasetRef(dataset.id, dataset.name, dataset.number, dataset.digest, dataset.cases),
        variants=tuple(under_models),
        repeats=suite.repeats,
        concurrency=suite.concurrency or unit.settings.concurrency,
        missing=missing,
        outputs=outputs,
        traffic=None if recorded is None else recorded.traffic,
    )


def _variants(
    registry: Registry, suite: Suite, candidates: Sequence[Variant], baselines: Baselines
) -> tuple[list[Variant], tuple[str, ...]]:
    """Return the candidates with the baselines, and the labels that no version has.

    A baseline with the content of another variant is not run twice; that variant gets its reference.
    """
    variants, missing = list(candidates), []
    for reference in baselines.references(suite):
        try:
            version = _variant(registry, suite.prompt or "", reference, VariantRole.BASELINE)
        except NotFound:
            if reference == baselines.reference:
                raise
            missing.append(str(reference))
            continue
        index = next((index for index, variant in enumerate(variants) if variant.digest == version.digest), None)
        if index is None:
            variants.append(version)
        else:
            references = tuple(dict.fromkeys([*variants[index].references, *version.references]))
            variants[index] = replace(variants[index], references=references)
    return variants, tuple(missing)


def _variant(registry: Registry, prompt: str, reference: int | str, role: VariantRole) -> Variant:
    """Return the variant of a version, found by its number or a label; it has no model yet."""
    if isinstance(reference, int):
        version = registry.lookup(prompt, version=reference).version
        reference = f"version {reference}"
    else:
        version = registry.lookup(prompt, label=reference).version
    collection = (version.content.get("context") or {}).get("collection")
    return Variant(f"v{version.number}", role, "", prompt, version.number, version.digest, (reference,), collection)


def _under(variant: Variant, model: str | ModelSpec, models: Sequence[str | ModelSpec]) -> Variant:
    """Return the variant under a model; its name has the model's label or name where there are several."""
    name = f"{variant.name}·{column_name(model)}" if len(models) > 1 else variant.name
    settings = model.model_dump(mode="json") if isinstance(model, ModelSpec) else None
    return replace(variant, model=str(model), name=name, model_spec=settings)
