"""The settings of a project's traffic as they count: its own where it has them, else those of the service. Pure."""

import hashlib
import json
from dataclasses import asdict, dataclass, field, replace
from datetime import timedelta
from typing import Any, Literal

from promptuary.core.settings import Settings
from promptuary.traffic.settings.rule import MappingRule
from promptuary.traffic.tables import Stratum

Keep = Literal["attributed", "all"]


@dataclass(frozen=True, kw_only=True)
class TrafficSettings:
    """What is stored of a project's calls, and how long.

    Attributes:
        sample: the share of all calls whose contents are stored.
        error_sample: of the calls that ended in an error.
        low_sample: of the calls with low feedback.
        low_value: feedback below it is low.
        reservoir: the most stored calls of a version, a day and a stratum.
        keep: whether contents of calls without a prompt are stored, too.
        wait: seconds for which contents wait for an error, feedback or a late parent.
        days: how long contents stay.
        counter_days: how long counters stay.
    """

    sample: float
    error_sample: float
    low_sample: float
    low_value: float
    reservoir: int
    keep: Keep
    wait: int
    days: int
    counter_days: int

    @classmethod
    def of_service(cls, settings: Settings) -> "TrafficSettings":
        """Return the settings of the service, which count where a project has none of its own."""
        return cls(**{name: getattr(settings, f"traffic_{name}") for name in cls.__dataclass_fields__})

    def overridden(self, overrides: dict[str, Any]) -> "TrafficSettings":
        """Return the settings with a project's own; names that this release does not know are passed over."""
        return replace(self, **{name: value for name, value in overrides.items() if name in self.__dataclass_fields__})

    def probability(self, stratum: Stratum) -> float:
        """Return the share of a stratum's calls whose contents are stored."""
        match stratum:
            case Stratum.RANDOM:
                return self.sample
            case Stratum.ERROR:
                return self.error_sample
            case Stratum.LOW_FEEDBACK:
                return self.low_sample

    @property
    def wait_time(self) -> timedelta:
        """For how long a call waits."""
        return timedelta(seconds=self.wait)


@dataclass(frozen=True)
class ProjectTraffic:
    """A project's settings and rules, and the key by which ids of its end users are hashed; `overrides` are its own values."""

    settings: TrafficSettings
    rules: tuple[MappingRule, ...] = ()
    overrides: dict[str, Any] = field(default_factory=dict)
    user_key: bytes = field(default=b"", repr=False)

    @property
    def tag(self) -> str:
        """The ETag of the project's own settings and rules, with its quotes; those of the service are not in it."""
        own = {"settings": self.overrides, "rules": [asdict(rule) for rule in self.rules]}
        text = json.dumps(own, sort_keys=True, separators=(",", ":"))
        return f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'
