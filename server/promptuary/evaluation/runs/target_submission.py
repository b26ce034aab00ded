"""The plan of a run of applications, decided when it is submitted."""

from collections.abc import Sequence
from dataclasses import replace

from promptuary.access.unit_of_work import UnitOfWork
from promptuary.core.errors import FieldError, InvalidRequest, NotFound
from promptuary.evaluation.applications.spec import TargetSpec
from promptuary.evaluation.datasets import store as dataset_store
from promptuary.evaluation.datasets.service import DatasetService
from promptuary.evaluation.datasets.store import DatasetVersion
from promptuary.evaluation.plan import DatasetRef, Plan, Variant
from promptuary.evaluation.runs.request import RunRequest
from promptuary.evaluation.suites.suite import Suite, suite_digest, suite_to_json
from promptuary.evaluation.summary_model import VariantRole
from promptuary.prompt.digest import json_digest

_OF_PROMPTS = ("label", "version", "versions", "models")


def build_target_plan(unit: UnitOfWork, suite: Suite, dataset: DatasetVersion, request: RunRequest) -> Plan:
    """Build the plan: every application of the suite; those that the gate or the request names are baselines.

    Args:
        unit: on whose behalf.
        suite: as it is to be run; it has applications.
        dataset: the cases.
        request: what differs from the suite's definition.

    Raises:
        InvalidRequest: for what goes with prompts, no candidate, or a case without an output.
        NotFound: for a baseline that is no application of the suite, or outputs that are not stored.
    """
    errors = [
        FieldError(name, "goes with a prompt, and the suite evaluates an application")
        for name in _OF_PROMPTS
        if getattr(request, name) is not None
    ]
    if errors:
        raise InvalidRequest("the run cannot be submitted", errors)
    outputs = {
        target.variant_name: _stored_outputs(unit, target.outputs, dataset)
        for target in suite.targets
        if isinstance(target.outputs, str)
    }
    variants, missing = _variants(suite, outputs, request.baseline)
    return Plan(
        suite=suite_to_json(suite),
        suite_digest=suite_digest(suite),
        dataset=_reference(dataset),
        variants=tuple(variants),
        repeats=suite.repeats,
        concurrency=suite.concurrency or unit.settings.concurrency,
        missing=missing,
        outputs=outputs,
    )


def _variants(
    suite: Suite, outputs: dict[str, DatasetRef], baseline: int | str | None
) -> tuple[list[Variant], tuple[str, ...]]:
    """Return the applications as variants, and the baselines of the gate that none of them is."""
    variants = [_variant(target, outputs.get(target.variant_name)) for target in suite.targets]
    requested = [] if baseline is None else [str(baseline)]
    gated = [demand.not_worse_than for demand in suite.gate if demand.not_worse_than is not None]
    missing: list[str] = []
    for reference in dict.fromkeys([*requested, *gated]):
        index = _find(variants, reference)
        if index is None and reference in requested:
            known = ", ".join(f"'{variant.name}'" for variant in variants)
            raise NotFound(f"no application of the suite is called '{reference}', or has that version; there are {known}")
        if index is None:
            missing.append(reference)
            continue
        references = (*variants[index].references, reference)
        variants[index] = replace(variants[index], role=VariantRole.BASELINE, references=references)
    if all(variant.role is VariantRole.BASELINE for variant in variants):
        raise InvalidRequest("every application of the suite is a baseline; one must be the candidate")
    return variants, tuple(missing)


def _find(variants: Sequence[Variant], reference: str) -> int | None:
    """Return the position of the one application that a reference names: by its variant's name, its own, or its version."""
    for name in ("name", "target_version", "target"):
        positions = [index for index, variant in enumerate(variants) if getattr(variant, name) == reference]
        if len(positions) == 1:
            return positions[0]
    return None


def _variant(target: TargetSpec, outputs: DatasetRef | None) -> Variant:
    digest = target.digest if outputs is None else json_digest({"application": target.digest, "outputs": outputs.digest})
    return Variant(
        name=target.variant_name,
        role=VariantRole.CANDIDATE,
        model="",
        prompt=None,
        version=None,
        digest=digest,
        target=target.label,
        target_version=target.stated_version,
    )


def _stored_outputs(unit: UnitOfWork, name: str, dataset: DatasetVersion) -> DatasetRef:
    """Return the newest version of stored outputs, which answers every case.

    Raises:
        NotFound: when there are none of this name.
        InvalidRequest: for a case without an output.
    """
    outputs = DatasetService(unit).get(name)
    answered = dataset_store.list_memberships(unit.session, outputs.id).keys()
    missing = [case for case in dataset_store.list_memberships(unit.session, dataset.id) if case not in answered]
    if missing:
        listed = ", ".join(missing[:5]) + (" …" if len(missing) > 5 else "")
        message = f"'{name}' has no output for {len(missing)} of {dataset.cases} cases: {listed}"
        raise InvalidRequest("the run cannot be submitted", [FieldError("outputs", message)])
    return _reference(outputs)


def _reference(dataset: DatasetVersion) -> DatasetRef:
    return DatasetRef(dataset.id, dataset.name, dataset.number, dataset.digest, dataset.cases)
