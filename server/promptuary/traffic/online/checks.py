"""Which scorers can run on calls of production: those that need nothing but the call itself. Pure."""

import json
import re
from collections.abc import Iterator, Sequence

from pydantic import ValidationError

from promptuary.core.errors import FieldError
from promptuary.evaluation.json_object import JsonObject
from promptuary.evaluation.scorers.catalog import find_scorer_type
from promptuary.evaluation.scorers.spec import ScorerSpec
from promptuary.models.calls.pricing import PriceTable, missing_price_error
from promptuary.models.model_spec import model_spec
from promptuary.prompt.validation_errors import field_errors_from

_EXPECTED = re.compile(r"\{\{[^{}]*\bexpected\b")


def scorer_errors(scorers: Sequence[JsonObject], max_cost: float | None) -> Iterator[FieldError]:
    """Yield what prevents scorers from running on calls, each with its path.

    A call has no expected output, one variant and one answer. A judge needs a cost limit, and a model whose price is known.
    """
    names: set[str] = set()
    prices = PriceTable()
    for number, body in enumerate(scorers):
        path = f"scorers.{number}"
        try:
            spec = ScorerSpec.model_validate(body)
        except ValidationError as error:
            yield from (FieldError(f"{path}.{each.path}", each.message) for each in field_errors_from(error))
            continue
        if spec.metric in names:
            yield FieldError(f"{path}.name", f"'{spec.metric}' is the name of an earlier scorer")
        names.add(spec.metric)
        scorer_type = find_scorer_type(spec.type_name)
        if _EXPECTED.search(json.dumps(body, ensure_ascii=False)):
            yield FieldError(f"{path}.value", "uses {{expected}}, which a call of production does not have")
        if scorer_type is not None and scorer_type.compares_variants:
            yield FieldError(f"{path}.type", f"'{spec.type}' compares variants, and a call of production has one answer")
        if spec.each_turn:
            yield FieldError(f"{path}.each_turn", "goes with conversations of a dataset; each call is scored alone")
        for model in _models(spec):
            if max_cost is None:
                yield FieldError("max_cost", f"is required where a model judges ('{spec.metric}'): US dollars a day")
            elif not prices.is_known(model):
                yield FieldError(f"{path}.model", missing_price_error(model).message)


def _models(spec: ScorerSpec) -> Iterator[str]:
    if spec.model is not None:
        yield model_spec(spec.model).name
    for nested in spec.asserts or ():
        yield from _models(nested)
