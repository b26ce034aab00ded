"""The plan of a run, complete when it is submitted, and the results of its items. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, TypedDict

from promptuary.evaluation.json_object import JsonObject
from promptuary.evaluation.score_detail import LabelledScores
from promptuary.evaluation.suites.definition import SuiteDefinition
from promptuary.evaluation.summary_model import VariantRole
from promptuary.models.model_spec import ModelSpec, parse_model

PASS, SCORE = "pass", "score"  # the metrics that every result has, beside its scorers'


@dataclass(frozen=True)
class Variant:
    """One version of a prompt under one model, or one application.

    Attributes:
        name: unique in its run and readable, as `v2` or `v2·local:smollm2`.
        role: candidate or baseline.
        model: in LangChain's `provider:model` form, with its label or address in parentheses where it has one; empty for an
            application.
        prompt: the prompt's name; None for an application.
        version: its number; None for an application.
        digest: of its content, or of the application's definition.
        references: the labels and versions of the request that led here; a candidate may be its own baseline.
        collection: from which the version retrieves its context; None where it does not.
        context_digest: of the collection's content when the run was submitted; None where it did not exist.
        target: the application's name; None for a prompt.
        target_version: of the application, as the suite states it; None where its answers state it, or nobody does.
        model_spec: the model with its settings, as the suite has it; None for a model that is a name alone.
    """

    name: str
    role: VariantRole
    model: str
    prompt: str | None
    version: int | None
    digest: str
    references: tuple[str, ...] = ()
    collection: str | None = None
    context_digest: str | None = None
    target: str | None = None
    target_version: str | None = None
    model_spec: JsonObject | None = None

    @property
    def is_recorded(self) -> bool:
        """Whether its outputs are those that a prompt gave in production."""
        return self.target is not None and self.prompt is not None

    @property
    def called_model(self) -> ModelSpec:
        """The model with its settings; those of a name alone are empty."""
        return parse_model(self.model_spec or self.model)


@dataclass(frozen=True)
class DatasetRef:
    """The version of a dataset that a run goes through, and how many cases it has."""

    id: int
    name: str
    number: int
    digest: str
    cases: int


@dataclass(frozen=True)
class DatasetPart:
    """Of which dataset the cases of a run are a part, and how they were selected.

    Attributes:
        dataset: its name.
        number: of its version.
        cases: how many it has.
        failing_in: the run in which they failed; None for no such condition.
        sample: how many were chosen at random; None for no sample.
        seed: of the sample.
        erased: how many cases of the version are erased, and left out.
    """

    dataset: str
    number: int
    cases: int
    failing_in: str | None = None
    sample: int | None = None
    seed: int = 0
    erased: int = 0


@dataclass(frozen=True)
class TrafficPart:
    """Of which calls of production the cases of a run are made.

    Attributes:
        since: when the first of them may have begun, in ISO format.
        until: before when they began.
        calls: how many sampled calls there are.
        replayed: how many of them are behind the run's cases.
        dropped: how many are not, by the reason.
        dropped_share: the share of all calls that the dropped ones stand for, by the inverse of their probabilities.
        examples: the ids of some dropped calls, by the reason.
    """

    since: str
    until: str
    calls: int
    replayed: int
    dropped: Mapping[str, int] = field(default_factory=dict)
    dropped_share: float = 0.0
    examples: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """All that a run needs to be done again: nothing in it moves when a label, a suite or a dataset does.

    Attributes:
        suite: the suite's definition.
        suite_digest: of the definition.
        dataset: the cases.
        variants: in the order in which every case goes through them.
        repeats: how often each case goes through each variant, 1 or more.
        concurrency: how many items are in flight at once.
        missing: labels that the gate names and no version carries.
        cache: whether cached responses are used; a new response is cached in any case.
        max_cost: the most that the run may cost, in US dollars.
        outputs: the stored outputs of each application that has some, by the variant's name.
        part: of which dataset the run has a part of the cases, so that its gate is not decided; None for all of them.
        traffic: of which calls of production the cases are made; None for a dataset of the suite.
    """

    suite: SuiteDefinition
    suite_digest: str
    dataset: DatasetRef
    variants: tuple[Variant, ...]
    repeats: int
    concurrency: int
    missing: tuple[str, ...] = ()
    cache: bool = True
    max_cost: float | None = None
    outputs: Mapping[str, DatasetRef] = field(default_factory=dict)
    part: DatasetPart | None = None
    traffic: TrafficPart | None = None

    @property
    def suite_name(self) -> str:
        """The suite's name."""
        return self.suite["name"]

    @property
    def prompt(self) -> str | None:
        """The name of the prompt that the suite evaluates; None where it evaluates applications."""
        return self.suite.get("prompt")

    @property
    def targets(self) -> tuple[str, ...]:
        """The names of the applications that the suite evaluates, each once."""
        targets = (variant.target for variant in self.variants if not variant.is_recorded)
        return tuple(dict.fromkeys(target for target in targets if target is not None))

    @property
    def gated_metrics(self) -> tuple[str, ...]:
        """The metrics that the suite's gate names, each once."""
        return tuple(dict.fromkeys(demand["metric"] for demand in self.suite["gate"]))

    @property
    def per_case(self) -> int:
        """How many results one case has."""
        return len(self.variants) * self.repeats

    @property
    def total(self) -> int:
        """How many results the run has when it is done."""
        return self.dataset.cases * self.per_case


class PassageDetail(TypedDict):
    """A retrieved passage in the prompt, without its text, and its similarity to the query."""

    document: str
    chunk: int
    digest: str
    score: float


class ApplicationDetail(TypedDict, total=False):
    """How an application answered: each entry is there only where it is known.

    Attributes:
        address: of the request, without values of the environment.
        status: of the answer.
        version: of the application, as the answer states it.
    """

    address: str
    status: int
    version: str


class TurnDetail(TypedDict, total=False):
    """What a turn of a conversation came to; scores and the verdict are there only where all turns were answered.

    Attributes:
        messages: what the turn added to the conversation: the user's message, calls of tools with their results, the answer.
        output: the answer after the transforms.
        passed: the verdict of the turn's scorers; None where there are none, or one of them is an error.
        score: their weighted mean.
        scores: each as JSON by its label.
        latency_ms: of the turn's model calls together.
        tokens_input: of all its prompts.
        tokens_output: of all its answers.
        cost: of its calls in US dollars.
        cached: whether all its answers are cached responses.
    """

    messages: list[JsonObject]
    output: str
    passed: bool | None
    score: float | None
    scores: LabelledScores
    latency_ms: float | None
    tokens_input: int | None
    tokens_output: int | None
    cost: float | None
    cached: bool


class ResultDetail(TypedDict, total=False):
    """What people look at beside a result's figures; each entry is there only where there is something to show.

    Attributes:
        messages: what the model received.
        passages: what was retrieved for it.
        application: how an application answered.
        answer: what was answered, where transforms made another output of it, or failed.
        scores: each score as JSON by its label, as `scorers.aggregate.score_json` writes it.
        refusal: the model's or its provider's refusal.
        reasoning: what the model thought before its output; no scorer sees it.
        invalid_tool_calls: each `{name, args, id, error}`, `args` as the model wrote them.
        turns: of a conversation, those that were answered.
    """

    messages: list[JsonObject]
    answer: str
    passages: list[PassageDetail]
    application: ApplicationDetail
    scores: LabelledScores
    refusal: str
    reasoning: str
    invalid_tool_calls: list[JsonObject]
    turns: list[TurnDetail]


@dataclass(frozen=True)
class CaseResult:
    """What one item came to.

    Attributes:
        ordinal: the item's place in the plan.
        case: the case's id.
        variant: the variant's name.
        repeat: 0 for the first.
        output: the model's answer, without white space around it; None where there is none.
        passed: whether every scorer that counts passed; None where that is not known.
        score: the weighted mean of the scores, in [0, 1]; None where one of them is not known.
        metrics: each scorer's score; None where it is not known. Never a zero for a crash.
        error: why there is no output.
        detail: what people look at: reasons, errors of scorers, the messages, the passages.
        at: when it was done.
        latency_ms: how long the answer took; None where there is none.
        tokens_input: of the prompt, as the provider counts; None where it does not count them.
        tokens_output: of the answer.
        cost: of the answer in US dollars, without judges; None where no price is known.
        cached: whether the answer is a cached response.
    """

    ordinal: int
    case: str
    variant: str
    repeat: int
    output: str | None
    passed: bool | None
    score: float | None
    metrics: Mapping[str, float | None]
    error: str | None
    detail: ResultDetail = field(repr=False)
    at: datetime
    latency_ms: float | None = None
    tokens_input: int | None = None
    tokens_output: int | None = None
    cost: float | None = None
    cached: bool = False

    @property
    def unrunnable(self) -> bool:
        """Whether there is no verdict on it: the model did not answer, or a scorer that counts gave an error."""
        return self.error is not None or self.passed is None


class ResultFigures(NamedTuple):
    """Of a result what statistics need, as `Result` has it."""

    case: str
    variant: str
    repeat: int
    passed: bool | None
    score: float | None
    metrics: Mapping[str, float | None]
    error: str | None
    latency_ms: float | None
    tokens_input: int | None
    tokens_output: int | None
    cost: float | None

    @property
    def unrunnable(self) -> bool:
        """Whether there is no verdict on it, as `Result.unrunnable`."""
        return self.error is not None or self.passed is None


def plan_to_json(plan: Plan) -> dict[str, Any]:
    """Return the JSON of the plan as it is stored."""
    return asdict(plan)


def plan_from_json(body: JsonObject) -> Plan:
    """Build the plan from its stored JSON."""
    return Plan(
        suite=body["suite"],
        suite_digest=body["suite_digest"],
        dataset=DatasetRef(**body["dataset"]),
        variants=tuple(_variant_from_json(item) for item in body["variants"]),
        repeats=body["repeats"],
        concurrency=body["concurrency"],
        missing=tuple(body["missing"]),
        cache=body.get("cache", True),
        max_cost=body.get("max_cost"),
        outputs={name: DatasetRef(**dataset) for name, dataset in body.get("outputs", {}).items()},
        part=DatasetPart(**body["part"]) if body.get("part") else None,
        traffic=TrafficPart(**body["traffic"]) if body.get("traffic") else None,
    )


def _variant_from_json(body: JsonObject) -> Variant:
    """Read a stored variant back.

    Release 0.1.0 also stored `content`, always null: its API took registered versions only, whose content the registry has.
    """
    fields = {name: value for name, value in body.items() if name != "content"}
    return Variant(**fields | {"role": VariantRole(body["role"]), "references": tuple(body["references"])})
