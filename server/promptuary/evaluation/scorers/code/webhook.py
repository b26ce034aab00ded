"""The scorer that asks a service of one's own: the output goes to a listed host, and its verdict comes back."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from promptuary.core.errors import PromptuaryError
from promptuary.core.outbound_http import DestinationFailed, parse_destination, post_json
from promptuary.core.wire import parse_strict_json
from promptuary.evaluation.scorers.judge.judge import prompt_as_text
from promptuary.evaluation.scorers.score import BaseScorer, Score, ScorerInput
from promptuary.evaluation.scorers.scorer_type import ScorerDependencies, ScorerType, validator_of
from promptuary.evaluation.scorers.value_template import ValueTemplate, parse_value
from promptuary.prompt.errors import Invalid

if TYPE_CHECKING:
    from promptuary.evaluation.scorers.spec import ScorerSpec

TIMEOUT_SECONDS = 10.0
URL_LIMIT = 2000


class WebhookVerdict(BaseModel):
    """What the service answers; more may be in it."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")

    passed: Annotated[bool, Field(alias="pass")]
    score: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] | None = None
    reason: str | None = None


@dataclass(frozen=True)
class Webhook(BaseScorer):
    """A service at a listed host says that the output passes, and what its score is."""

    value: ValueTemplate
    hosts: frozenset[str]

    async def score(self, sample: ScorerInput) -> Score:
        """Post `{output, context}`; any status but 2xx, and an answer of another form, are errors."""
        context = {"prompt": prompt_as_text(sample), "vars": sample.case.vars}
        body = {"output": sample.output, "context": context}
        status, content = await post_json(self.value.text(sample.case), body, hosts=self.hosts, timeout=TIMEOUT_SECONDS)
        if not 200 <= status < 300:
            raise DestinationFailed(f"the webhook answered with status {status}")
        try:
            found = WebhookVerdict.model_validate(parse_strict_json(content))
        except (PromptuaryError, ValidationError):
            raise DestinationFailed("the webhook gave no {pass, score?, reason?} that can be read") from None
        if found.score is None:
            return self.answer(found.passed, found.reason or "the webhook decided")
        score = 1 - found.score if self.inverse else found.score
        return Score(self.name, found.passed != self.inverse, score, (found.reason or "the webhook decided")[:500])


def _url(value: Any) -> None:
    if not isinstance(value, str) or not value.strip() or len(value) > URL_LIMIT:
        raise Invalid("is required: the webhook's address, as in https://hooks.example.com/score")
    parse_value(value)


def _webhook(spec: "ScorerSpec", parts: ScorerDependencies) -> Webhook:
    value = parse_value(spec.value)
    if value.constant:
        parse_destination(value.parsed, parts.webhook_hosts)
    elif not parts.webhook_hosts:
        raise Invalid("webhooks may go nowhere here; an operator can list hosts in PROMPTUARY_WEBHOOK_HOSTS")
    return Webhook(spec.metric, spec.weight, spec.inverse, value, parts.webhook_hosts)


SCORER_TYPES: dict[str, ScorerType] = {"webhook": ScorerType(validator_of(_url), _webhook)}
