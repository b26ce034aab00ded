"""What a suite asks for that this installation does not do: told when a run is submitted, not case by case."""

from collections.abc import Sequence
from typing import Any

from promptuary.base.errors import Fault, InvalidRequest
from promptuary.base.settings import Settings
from promptuary.evaluation.calls import Reply
from promptuary.evaluation.plan import Plan
from promptuary.evaluation.scorers.kind import ScorerParts
from promptuary.evaluation.scorers.registry import build, kind_of
from promptuary.evaluation.suite import Suite
from promptuary.prompt.errors import Invalid


def admit(suite: Suite, plan: Plan, settings: Settings) -> None:
    """Let a run in, or say why not.

    Raises:
        InvalidRequest: for code or addresses that the settings do not allow, and for a comparison of outputs where there is
            only one, each in its place.
    """
    parts = ScorerParts(_no_embedding, _no_judge, settings.code_scorers, settings.webhook_names)
    faults: list[Fault] = []
    for number, spec in enumerate(suite.scorers):
        kind = kind_of(spec.kind)
        if kind is not None and kind.grouped and len(plan.variants) < 2:
            words = "compares the outputs of several variants, and the run has one; give models, versions or a baseline"
            faults.append(Fault(f"scorers.{number}", f"'{spec.type}' {words}"))
        try:
            build(spec, parts)
        except Invalid as error:
            faults.append(Fault(f"scorers.{number}.value", str(error)))
    if faults:
        raise InvalidRequest("the suite cannot be run here", faults)


def _no_embedding(_: Sequence[str]) -> Any:
    raise AssertionError("nothing is scored when a run is submitted")


async def _no_judge(*_: Any, **__: Any) -> Reply:
    raise AssertionError("nothing is scored when a run is submitted")
