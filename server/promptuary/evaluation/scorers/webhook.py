"""The scorer that asks a service of one's own: the output goes to a listed host, and its verdict comes back."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from promptuary.base.errors import PromptuaryError
from promptuary.base.webhook import WebhookFailed, post_json, target_of
from promptuary.base.wire import loads
from promptuary.evaluation.scorers.judge import asked_of
from promptuary.evaluation.scorers.kind import Kind, ScorerParts, checked
from promptuary.evaluation.scorers.score import Question, Sample, Score
from promptuary.evaluation.scorers.value import Value, value_of
from promptuary.prompt.errors import Invalid

if TYPE_CHECKING:
    from promptuary.evaluation.scorers.spec import ScorerSpec

SECONDS = 10.0
URL_LIMIT = 2000


class Verdict(BaseModel):
    """What the service answers; more may be in it."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")

    passed: Annotated[bool, Field(alias="pass")]
    score: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] | None = None
    reason: str | None = None


@dataclass(frozen=True)
class Webhook(Question):
    """A service at a listed host says that the output passes, and what its score is."""

    value: Value
    hosts: frozenset[str]

    async def score(self, sample: Sample) -> Score:
        """Post `{output, context}`; any status but 2xx, and an answer of another form, are errors."""
        context = {"prompt": asked_of(sample), "vars": sample.case.vars}
        body = {"output": sample.output, "context": context}
        status, content = await post_json(self.value.text(sample.case), body, hosts=self.hosts, timeout=SECONDS)
        if not 200 <= status < 300:
            raise WebhookFailed(f"the webhook answered with status {status}")
        try:
            found = Verdict.model_validate(loads(content))
        except (PromptuaryError, ValidationError):
            raise WebhookFailed("the webhook gave no {pass, score?, reason?} that can be read") from None
        if found.score is None:
            return self.answer(found.passed, found.reason or "the webhook decided")
        score = 1 - found.score if self.inverse else found.score
        return Score(self.name, found.passed != self.inverse, score, (found.reason or "the webhook decided")[:500])


def _url(value: Any) -> None:
    if not isinstance(value, str) or not value.strip() or len(value) > URL_LIMIT:
        raise Invalid("is required: the webhook's address, as in https://hooks.example.com/score")
    value_of(value)


def _webhook(spec: "ScorerSpec", parts: ScorerParts) -> Webhook:
    value = value_of(spec.value)
    if value.constant:
        target_of(value.parsed, parts.webhook_hosts)
    elif not parts.webhook_hosts:
        raise Invalid("webhooks may go nowhere here; an operator can list hosts in PROMPTUARY_WEBHOOK_HOSTS")
    return Webhook(spec.metric, spec.weight, spec.inverse, value, parts.webhook_hosts)


KINDS: dict[str, Kind] = {"webhook": Kind(checked(_url), _webhook)}
