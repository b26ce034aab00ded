"""The description of a type of scorer: which value, threshold and settings it takes, and how a scorer of it is built.

Each family of scorers has a table of its types. The catalog joins the tables; no family imports the catalog.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Self, TypeVar, cast

from pydantic import JsonValue

from promptuary.evaluation.scorers.dependencies import ScorerDependencies
from promptuary.evaluation.scorers.judge_task import JudgeTask
from promptuary.evaluation.scorers.score import Scorer
from promptuary.models.model_spec import ModelSpec
from promptuary.prompt.errors import Invalid


class ScorerValue(ABC):
    """The value of a scorer, parsed. Each shape of value is a subclass."""

    @classmethod
    @abstractmethod
    def parse(cls, value: JsonValue) -> Self:
        """Parse a suite's value.

        Raises:
            Invalid: with a message that continues the word "value", as in "is required".
        """


class ScorerConfig(ABC):
    """The further settings of a scorer, parsed. Each set of settings is a subclass; without arguments it has the defaults."""

    @classmethod
    @abstractmethod
    def parse(cls, config: Mapping[str, JsonValue]) -> Self:
        """Parse a suite's settings.

        Raises:
            Invalid: with a message that continues the word "config".
        """


@dataclass(frozen=True)
class NoValue(ScorerValue):
    """The value of a type that takes none."""

    @classmethod
    def parse(cls, value: JsonValue) -> Self:
        """Check that there is no value."""
        if value is not None:
            raise Invalid("is not taken")
        return cls()


@dataclass(frozen=True)
class NoConfig(ScorerConfig):
    """The settings of a type that has none."""

    @classmethod
    def parse(cls, config: Mapping[str, JsonValue]) -> Self:
        """Check that there are no settings."""
        if config:
            raise Invalid("is not taken")
        return cls()


@dataclass(frozen=True)
class ThresholdRange:
    """The thresholds that a type takes.

    Attributes:
        low: the lowest.
        high: the highest.
        default: the threshold of a scorer that names none; None where the type then has no threshold.
        required: whether a scorer must name one.
    """

    low: float = 0.0
    high: float = 1.0
    default: float | None = None
    required: bool = False


@dataclass(frozen=True)
class NestedScorer:
    """A scorer inside a set.

    Attributes:
        metric: the metric that it contributes to; None where it was given no name.
        scorer: the scorer.
    """

    metric: str | None
    scorer: Scorer


Value = TypeVar("Value", bound=ScorerValue)
Config = TypeVar("Config", bound=ScorerConfig)


@dataclass(frozen=True)
class ScorerSettings(Generic[Value, Config]):
    """The checked and parsed settings that a scorer is built from.

    Attributes:
        metric: the metric's name.
        weight: the share in the case's score.
        inverse: whether `not-` inverts the verdict.
        value: of the type's value class.
        config: of the type's settings class.
        threshold: the suite's, else the type's default.
        model: the judging model; empty where the type has no judge.
        nested: the scorers of a set.
    """

    metric: str
    weight: float
    inverse: bool
    value: Value
    config: Config
    threshold: float | None = None
    model: str | ModelSpec = ""
    nested: tuple[NestedScorer, ...] = ()

    @property
    def base(self) -> tuple[str, float, bool]:
        """The first three arguments of every `BaseScorer`: metric, weight, inverse."""
        return self.metric, self.weight, self.inverse

    @property
    def known_threshold(self) -> float:
        """The threshold of a type that requires one or has a default."""
        if self.threshold is None:
            raise Invalid(f"'{self.metric}' needs a threshold")
        return self.threshold


@dataclass(frozen=True)
class ScorerType(Generic[Value, Config]):
    """What a type takes, and how a scorer of it is built.

    Attributes:
        value: the class that parses its value.
        build: builds the scorer from checked settings.
        threshold: the range of its threshold; None where it takes none.
        tasks: the tasks that its judge does; empty where no model judges.
        config: the class that parses its further settings; None where it takes none.
        case_value: as `value`, for a scorer of a case, where that accepts more than a suite's.
        value_of: chooses the class that parses the value by the settings, and by whether the scorer is a case's; None where
            it does not depend on the settings.
        takes_null: whether null is a value, other than no value at all.
        nested: whether it is made of other scorers.
        invertible: whether `not-` may stand before it.
        compares_variants: whether it compares the outputs of all variants, so that it stands in no set.
        reads_context: whether a judge reads the context, so that a transform may make it of the output.
    """

    value: type[Value]
    build: Callable[[ScorerSettings[Value, Config], ScorerDependencies], Scorer]
    threshold: ThresholdRange | None = None
    tasks: tuple[JudgeTask[Any], ...] = ()
    config: type[Config] | None = None
    case_value: type[Value] | None = None
    value_of: Callable[[Config, bool], type[Value]] | None = None
    takes_null: bool = False
    nested: bool = False
    invertible: bool = True
    compares_variants: bool = False
    reads_context: bool = False

    @property
    def judged(self) -> bool:
        """Whether a model judges, so that a scorer must name one."""
        return bool(self.tasks)

    def parse_config(self, config: Mapping[str, JsonValue] | None) -> Config:
        """Parse the further settings; None stands for their defaults.

        Raises:
            Invalid: for settings that the type does not take.
        """
        parser = cast("type[Config]", self.config or NoConfig)
        return parser() if config is None else parser.parse(config)

    def parse_value(self, value: JsonValue, config: Config, *, in_case: bool) -> Value:
        """Parse the value of a suite's scorer, or of a case's, which may accept more.

        Raises:
            Invalid: for a value that is not valid.
        """
        if self.value_of is not None:
            return self.value_of(config, in_case).parse(value)
        return (self.case_value if in_case and self.case_value is not None else self.value).parse(value)

    def value_error(
        self, value: JsonValue, config: Mapping[str, JsonValue] | None = None, *, in_case: bool = False
    ) -> str | None:
        """Return what is wrong with a value; None where it is valid, or where the settings are not."""
        if self.value_of is None:
            config = None
        elif config is not None and self.config_error(config):
            return None
        return _message_of(lambda: self.parse_value(value, self.parse_config(config), in_case=in_case))

    def config_error(self, config: Mapping[str, JsonValue]) -> str | None:
        """Return what is wrong with the further settings, or None."""
        return _message_of(lambda: self.parse_config(config))


def _message_of(parse: Callable[[], object]) -> str | None:
    try:
        parse()
    except Invalid as error:
        return error.field_errors[0].message if error.field_errors else error.message
    return None
