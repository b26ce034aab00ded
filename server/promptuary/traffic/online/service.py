"""The rules of a project's traffic on behalf of a caller."""

from collections.abc import Sequence
from dataclasses import dataclass

from promptuary.access import audit
from promptuary.access.unit_of_work import UnitOfWork
from promptuary.core.errors import FieldError, InvalidRequest, NotFound
from promptuary.core.paging import Page, build_page, decode_cursor
from promptuary.registry.store import find_prompt
from promptuary.review.queues import store as queue_store
from promptuary.traffic.online import store
from promptuary.traffic.online.checks import scorer_errors
from promptuary.traffic.online.rule import TrafficRule, rule_to_json


@dataclass(frozen=True)
class TrafficRuleService:
    """Reads and changes rules."""

    unit: UnitOfWork

    def put(self, rule: TrafficRule) -> TrafficRule:
        """Store a rule; it counts for calls that settle from now on.

        Raises:
            InvalidRequest: for a prompt or a queue that does not exist, scorers that cannot run on calls, or a rule that does
                nothing.
        """
        unit, project = self.unit, self.unit.caller.project
        prompt = find_prompt(unit.session, project, rule.prompt)
        errors = list(self._errors(rule))
        if prompt is None:
            errors.append(FieldError("prompt", f"there is no prompt '{rule.prompt}' in this project; push it first"))
        if errors or prompt is None:
            raise InvalidRequest("the rule cannot be used", errors)
        store.put_rule(unit.session, project, prompt.id, rule)
        detail = {"prompt": rule.prompt, **rule_to_json(rule.filling, rule.scoring)}
        audit.record_change(unit, "traffic.rule_set", rule.name, detail)
        return self.get(rule.name)

    def get(self, name: str) -> TrafficRule:
        """Return a rule.

        Raises:
            NotFound: when there is none.
        """
        rule = store.find_rule(self.unit.session, self.unit.caller.project, name)
        if rule is None:
            raise NotFound(f"there is no traffic rule '{name}'")
        return rule

    def delete(self, name: str) -> None:
        """Delete a rule; items and scores that it made stay.

        Raises:
            NotFound: when there is none.
        """
        if not store.delete_rule(self.unit.session, self.unit.caller.project, name):
            raise NotFound(f"there is no traffic rule '{name}'")
        audit.record_change(self.unit, "traffic.rule_deleted", name, {})

    def rules(self, limit: int, cursor: str | None) -> Page[TrafficRule]:
        """Return a page of rules by name."""
        rows = store.list_rules(self.unit.session, self.unit.caller.project, decode_cursor(cursor, str), limit + 1)
        return build_page(rows, limit, lambda rule: rule.name)

    def _errors(self, rule: TrafficRule) -> Sequence[FieldError]:
        errors: list[FieldError] = []
        filling, scoring = rule.filling, rule.scoring
        if filling is None and scoring is None:
            errors.append(FieldError("scorers", "a rule fills a `queue`, or has `scorers`, or both"))
        if filling is not None:
            if queue_store.find_queue(self.unit.session, self.unit.caller.project, filling.queue) is None:
                errors.append(FieldError("queue", f"there is no queue '{filling.queue}'; create it first"))
            if not (filling.low_feedback or filling.share or filling.disagreements):
                errors.append(FieldError("queue", "gets nothing: set `low_feedback`, `share` or `disagreements`"))
        if scoring is not None:
            errors += scorer_errors(scoring.scorers, scoring.max_cost)
        return errors
