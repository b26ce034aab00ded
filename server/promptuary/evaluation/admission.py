"""What a run needs and this installation does not have or allow: checked when a run is submitted, not case by case."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import Any

from promptuary.core.errors import FieldError, InvalidRequest
from promptuary.core.settings import Settings
from promptuary.evaluation.case import Case
from promptuary.evaluation.javascript.engine import JavaScriptEngine
from promptuary.evaluation.json_object import JsonObject
from promptuary.evaluation.plan import Plan
from promptuary.evaluation.scorers.catalog import find_scorer_type
from promptuary.evaluation.scorers.dependencies import ScorerDependencies
from promptuary.evaluation.scorers.factory import build_scorer
from promptuary.evaluation.scorers.spec import ScorerSpec
from promptuary.evaluation.scorers.transforms.syntax_check import syntax_errors, transform_syntax_errors
from promptuary.evaluation.scorers.transforms.transform import build_transform
from promptuary.evaluation.suites.suite import Suite, suite_to_json
from promptuary.evaluation.targets.admission import all_target_errors
from promptuary.evaluation.targets.permissions import TargetPermissions
from promptuary.models.calls import ModelReply
from promptuary.models.calls.pricing import PriceTable, missing_price_error
from promptuary.models.endpoints import EndpointPermissions
from promptuary.models.model_spec import ModelSpec, model_spec, parse_model
from promptuary.prompt.errors import Invalid


def admit(suite: Suite, plan: Plan, settings: Settings) -> None:
    """Check that the scorers of a run can be built here, and that its applications may be asked.

    Raises:
        InvalidRequest: for code or addresses that the settings do not allow, and for a comparison of variants in a run with one
            variant, each with its path.
    """
    with _dependencies(settings) as dependencies:
        errors = [
            *_permission_errors(suite, settings),
            *_scorer_errors(suite, plan, dependencies),
            *_transform_errors(suite, plan, dependencies),
        ]
    if errors:
        raise InvalidRequest("the suite cannot be run here", errors)


def admit_suite(suite: Suite, settings: Settings) -> None:
    """Check what every run of a suite needs, when the suite is stored.

    Raises:
        InvalidRequest: for code or addresses that the settings do not allow, each with its path.
    """
    with _dependencies(settings) as dependencies:
        errors = [*_permission_errors(suite, settings), *_building_errors(suite, dependencies)]
    if errors:
        raise InvalidRequest("no run of the suite would be accepted here", errors)


@contextmanager
def _dependencies(settings: Settings) -> Iterator[ScorerDependencies]:
    """Yield what scorers are built with when nothing is scored."""
    with closing(JavaScriptEngine(processes=1)) as engine:
        yield ScorerDependencies(
            _no_embedding,
            _no_judge,
            settings.code_scorers,
            settings.allowed_webhook_hosts,
            javascript=engine if settings.javascript else None,
        )


def _permission_errors(suite: Suite, settings: Settings) -> Iterator[FieldError]:
    yield from _model_errors(suite, EndpointPermissions.of(settings))
    yield from all_target_errors(suite.targets, TargetPermissions.of(settings))


def _building_errors(suite: Suite, dependencies: ScorerDependencies) -> Iterator[FieldError]:
    """Yield what prevents scorers from being built here, each with its path."""
    for number, spec in enumerate(suite.scorers):
        try:
            build_scorer(spec, dependencies)
        except Invalid as error:
            yield FieldError(f"scorers.{number}.value", str(error))


def _model_errors(suite: Suite, permissions: EndpointPermissions) -> Iterator[FieldError]:
    """Yield what is not allowed of the addresses and keys of models, each with its path."""
    for place, model in _suite_models(suite):
        for error in permissions.errors(model.name, model.config):
            yield replace(error, path=f"{place}.{error.path}")


def _scorer_errors(suite: Suite, plan: Plan, dependencies: ScorerDependencies) -> Iterator[FieldError]:
    """Yield what is wrong with the scorers of a suite, each with its path."""
    for number, spec in enumerate(suite.scorers):
        scorer_type = find_scorer_type(spec.type_name)
        if scorer_type is not None and scorer_type.compares_variants and len(plan.variants) < 2:
            message = "compares the outputs of several variants, and the run has one; give models, versions or a baseline"
            yield FieldError(f"scorers.{number}", f"'{spec.type}' {message}")
        try:
            scorer = build_scorer(spec, dependencies)
        except Invalid as error:
            yield FieldError(f"scorers.{number}.value", str(error))
        else:
            yield from (FieldError(f"scorers.{number}.{name}", message) for name, message in syntax_errors(scorer))


def _transform_errors(suite: Suite, plan: Plan, dependencies: ScorerDependencies) -> Iterator[FieldError]:
    """Yield what is wrong with the transforms of a suite, each with its path."""
    known = {name for model in suite.models for name in (str(model), model_spec(model).name)}
    known |= {variant.target or variant.model for variant in plan.variants}
    for name in suite.model_transforms:
        if name not in known:
            message = f"is no model or application of the suite; these are {', '.join(sorted(map(str, known)))}"
            yield FieldError(f"model_transforms.{name}", message)
    by_model = {f"model_transforms.{name}": value for name, value in suite.model_transforms.items()}
    values = {"transform": suite.transform, **by_model}
    for path, value in values.items():
        try:
            transform = build_transform(value, dependencies)
        except Invalid as error:
            yield FieldError(path, str(error))
        else:
            yield from (FieldError(path, message) for message in transform_syntax_errors(transform))


def plan_models(plan: Plan, suite: Suite) -> tuple[ModelSpec, ...]:
    """Return the models that a run calls: those of its variants and its suite's judges, each once."""
    called = (variant.called_model for variant in plan.variants if variant.target is None)
    models = [*called, *_judge_models(suite_to_json(suite)["scorers"])]
    return tuple(model for number, model in enumerate(models) if model not in models[:number])


def check_prices(plan: Plan, suite: Suite, cases: Iterable[Case]) -> None:
    """Check that the price is known of every model that the run may call: candidates' and judges', also of single cases.

    Raises:
        InvalidRequest: with an error for each model without a price.
    """
    prices = PriceTable(suite.prices)
    models = dict.fromkeys(model.name for model in plan_models(plan, suite))
    for case in cases:
        specs = [*case.asserts, *(spec for turn in case.turns for spec in turn.asserts)]
        models.update(dict.fromkeys(model.name for model in _judge_models(specs)))
    unknown = [model for model in models if not prices.is_known(model)]
    if unknown:
        raise InvalidRequest("the cost of the run cannot be limited", [missing_price_error(model) for model in unknown])


def _judge_models(specs: Iterable[JsonObject]) -> Iterator[ModelSpec]:
    """Yield the models that scorer specs name as JSON, and those of nested specs."""
    for spec in specs:
        if spec.get("model"):
            yield parse_model(spec["model"])
        yield from _judge_models(spec.get("assert") or ())


def _suite_models(suite: Suite) -> Iterator[tuple[str, ModelSpec]]:
    """Yield the models of a suite that have settings, each with its place."""
    for number, model in enumerate(suite.models):
        if isinstance(model, ModelSpec):
            yield f"models.{number}", model
    for number, scorer in enumerate(suite.scorers):
        yield from _scorer_models(scorer, f"scorers.{number}")


def _scorer_models(scorer: ScorerSpec, place: str) -> Iterator[tuple[str, ModelSpec]]:
    if isinstance(scorer.model, ModelSpec):
        yield f"{place}.model", scorer.model
    for number, nested in enumerate(scorer.asserts or ()):
        yield from _scorer_models(nested, f"{place}.assert.{number}")


def _no_embedding(_: Sequence[str]) -> Any:
    raise AssertionError("nothing is scored when a run is submitted")


async def _no_judge(*_: Any, **__: Any) -> ModelReply:
    raise AssertionError("nothing is scored when a run is submitted")
