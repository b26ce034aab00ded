"""Wire models of a project's traffic settings."""

from typing import Annotated, Any

from pydantic import Field, StringConstraints, model_validator

from promptuary.core.settings import Share
from promptuary.core.wire import NonEmptyText, RequestModel, ResponseModel
from promptuary.prompt.name import Name
from promptuary.traffic.settings.project_settings import Keep, ProjectTraffic
from promptuary.traffic.settings.rule import MappingRule

AttributeText = Annotated[str, StringConstraints(max_length=1000)]


class OwnTrafficSettings(RequestModel):
    """The settings that a project has of its own; null, or left out, where the one of the service counts.

    The bounds are those of the service's settings.
    """

    sample: Share | None = None
    error_sample: Share | None = None
    low_sample: Share | None = None
    low_value: Share | None = None
    reservoir: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    keep: Keep | None = None
    wait: Annotated[int, Field(ge=0, le=86_400)] | None = None
    days: Annotated[int, Field(ge=1, le=36_500)] | None = None
    counter_days: Annotated[int, Field(ge=1, le=36_500)] | None = None


class MappingRuleIn(RequestModel):
    """A rule that maps calls without a prompt's name to a prompt; a call must meet every condition that it has."""

    prompt: Name
    service: NonEmptyText | None = None
    span_name: NonEmptyText | None = None
    attribute: Annotated[dict[NonEmptyText, AttributeText | bool | int | float], Field(max_length=10)] = Field(
        default_factory=dict
    )
    version: Annotated[int, Field(ge=1, lt=2**31)] | None = None
    label: Name | None = None

    @model_validator(mode="after")
    def _require_a_condition(self) -> "MappingRuleIn":
        if self.service is None and self.span_name is None and not self.attribute:
            raise ValueError("needs a condition: 'service', 'span_name' or 'attribute'; else it would map every call")
        if self.version is not None and self.label is not None:
            raise ValueError("has 'version' and 'label'; name one of them")
        return self

    def rule(self) -> MappingRule:
        """Return the rule."""
        return MappingRule(self.prompt, self.service, self.span_name, dict(self.attribute), self.version, self.label)


class TrafficSettingsIn(RequestModel):
    """All of a project's own settings and rules; what is left out is removed."""

    settings: OwnTrafficSettings = OwnTrafficSettings()
    rules: Annotated[list[MappingRuleIn], Field(max_length=100)] = Field(default_factory=list)

    def overrides(self) -> dict[str, Any]:
        """Return the settings that were sent, by name."""
        return self.settings.model_dump(exclude_none=True)


class TrafficSettingsValues(ResponseModel):
    """The settings that count: the project's own ones, else those of the service."""

    sample: float
    error_sample: float
    low_sample: float
    low_value: float
    reservoir: int
    keep: Keep
    wait: int
    days: int
    counter_days: int


class MappingRuleOut(ResponseModel):
    """A rule that maps calls without a prompt's name to a prompt."""

    prompt: str
    service: str | None
    span_name: str | None
    attribute: dict[str, str | bool | int | float]
    version: int | None
    label: str | None


class TrafficSettingsOut(ResponseModel):
    """A project's own settings (`settings`), those that count (`effective`), and its rules in the order of their trial."""

    settings: OwnTrafficSettings
    effective: TrafficSettingsValues
    rules: list[MappingRuleOut]

    @classmethod
    def of(cls, traffic: ProjectTraffic) -> "TrafficSettingsOut":
        """Build the wire model."""
        known = {name: value for name, value in traffic.overrides.items() if name in OwnTrafficSettings.model_fields}
        return cls(
            settings=OwnTrafficSettings(**known),
            effective=TrafficSettingsValues.model_validate(traffic.settings),
            rules=[MappingRuleOut.model_validate(rule) for rule in traffic.rules],
        )
