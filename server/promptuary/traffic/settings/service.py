"""The rules of a project's traffic settings: who changes them is in the audit chain."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from promptuary.access import audit
from promptuary.access.unit_of_work import UnitOfWork
from promptuary.core.errors import FieldError, InvalidRequest
from promptuary.core.preconditions import UNCONDITIONAL, Preconditions
from promptuary.registry.label_store import find_label
from promptuary.registry.store import find_prompt
from promptuary.traffic.settings import store
from promptuary.traffic.settings.project_settings import ProjectTraffic
from promptuary.traffic.settings.rule import MappingRule

SUBJECT = "traffic"


@dataclass(frozen=True)
class TrafficSettingsService:
    """A project's traffic settings on behalf of a caller."""

    unit: UnitOfWork

    def get(self) -> ProjectTraffic:
        """Return what counts in the project, and what it has of its own."""
        unit = self.unit
        return store.load_project_traffic(unit.session, unit.caller.project, unit.settings)

    def put(
        self, overrides: dict[str, Any], rules: Sequence[MappingRule], condition: Preconditions = UNCONDITIONAL
    ) -> ProjectTraffic:
        """Replace the project's own settings and its rules; the key of its end users stays.

        Args:
            overrides: the project's own settings by name; all others are those of the service.
            rules: in the order in which they are tried.
            condition: what must be true of the settings before the change.

        Raises:
            PreconditionFailed: when the condition is not met.
            InvalidRequest: for a rule whose prompt, version or label does not exist.
        """
        unit = self.unit
        present = store.lock_project_traffic(unit.session, unit.caller.project, unit.settings)
        condition.require(present.tag, "the project's traffic settings")
        errors = [
            FieldError(f"rules.{number}.{error[0]}", error[1])
            for number, rule in enumerate(rules)
            if (error := self._rule_error(rule)) is not None
        ]
        if errors:
            raise InvalidRequest("the rules cannot be used", errors)
        stored = [_rule_value(rule) for rule in rules]
        store.put_project_settings(unit.session, unit.caller.project, overrides, stored)
        audit.record_change(unit, "traffic.settings_changed", SUBJECT, {"settings": overrides, "rules": stored})
        return self.get()

    def _rule_error(self, rule: MappingRule) -> tuple[str, str] | None:
        """Return the field of a rule that names something unknown, and a message; None where all of it is known."""
        prompt = find_prompt(self.unit.session, self.unit.caller.project, rule.prompt)
        if prompt is None:
            return "prompt", f"there is no prompt '{rule.prompt}' in this project; push it first"
        if rule.version is not None and rule.version > prompt.newest:
            return "version", f"the prompt '{rule.prompt}' has no version {rule.version}; its newest is {prompt.newest}"
        if rule.label is not None and find_label(self.unit.session, prompt, rule.label) is None:
            return "label", f"the prompt '{rule.prompt}' has no label '{rule.label}'; set it first"
        return None


def _rule_value(rule: MappingRule) -> dict[str, Any]:
    """Return a rule as JSON, without the conditions that it does not have."""
    return {name: value for name, value in asdict(rule).items() if value not in (None, {})}
