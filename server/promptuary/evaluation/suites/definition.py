"""The JSON of a suite as it is stored, digested and copied into the plan of each run."""

from typing import NotRequired, TypedDict

from pydantic import JsonValue

from promptuary.evaluation.json_object import JsonObject


class GateDefinition(TypedDict):
    """One demand on a metric, as `suites.gate_spec.GateSpec` writes it."""

    metric: str
    every: NotRequired[bool]
    at_least: float | None
    not_worse_than: str | None
    by: float | None
    corrected: NotRequired[bool]
    judge: NotRequired[JsonObject]


class SuiteDefinition(TypedDict):
    """A suite, as `suites.suite.suite_to_json` writes it; the fields of later releases only where they are set."""

    name: str
    prompt: NotRequired[str]
    label: str
    target: NotRequired[JsonObject | list[JsonObject]]
    outputs: NotRequired[str | JsonObject]
    version: NotRequired[str]
    dataset: str
    models: list[str | JsonObject]
    repeats: int
    scorers: list[JsonObject]
    gate: list[GateDefinition]
    max_unrunnable: float
    concurrency: int | None
    threshold: NotRequired[float]
    early_stop: NotRequired[bool]
    max_cost: NotRequired[float]
    limits: NotRequired[dict[str, JsonObject]]
    prices: NotRequired[dict[str, JsonObject]]
    transform: NotRequired[JsonValue]
    model_transforms: NotRequired[dict[str, JsonValue]]
