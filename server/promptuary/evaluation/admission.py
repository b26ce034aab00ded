"""What a suite asks for that this installation does not do: told when a run is submitted, not case by case."""

from collections.abc import Sequence
from typing import Any

from promptuary.core.errors import FieldError, InvalidRequest
from promptuary.core.settings import Settings
from promptuary.evaluation.plan import Plan
from promptuary.evaluation.scorers.catalog import find_scorer_type
from promptuary.evaluation.scorers.dependencies import ScorerDependencies
from promptuary.evaluation.scorers.factory import build_scorer
from promptuary.evaluation.suites.suite import Suite
from promptuary.models.calls import ModelReply
from promptuary.prompt.errors import Invalid


def admit(suite: Suite, plan: Plan, settings: Settings) -> None:
    """Let a run in, or say why not.

    Raises:
        InvalidRequest: for code or addresses that the settings do not allow, and for a comparison of outputs where there is
            only one, each in its place.
    """
    parts = ScorerDependencies(_no_embedding, _no_judge, settings.code_scorers, settings.allowed_webhook_hosts)
    field_errors: list[FieldError] = []
    for number, spec in enumerate(suite.scorers):
        kind = find_scorer_type(spec.type_name)
        if kind is not None and kind.compares_variants and len(plan.variants) < 2:
            words = "compares the outputs of several variants, and the run has one; give models, versions or a baseline"
            field_errors.append(FieldError(f"scorers.{number}", f"'{spec.type}' {words}"))
        try:
            build_scorer(spec, parts)
        except Invalid as error:
            field_errors.append(FieldError(f"scorers.{number}.value", str(error)))
    if field_errors:
        raise InvalidRequest("the suite cannot be run here", field_errors)


def _no_embedding(_: Sequence[str]) -> Any:
    raise AssertionError("nothing is scored when a run is submitted")


async def _no_judge(*_: Any, **__: Any) -> ModelReply:
    raise AssertionError("nothing is scored when a run is submitted")
