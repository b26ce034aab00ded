"""The scorer that asks a user's own service: the output is posted to a host on the allow-list, which returns a verdict."""

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from promptuary.core.errors import PromptuaryError
from promptuary.core.outbound_http import DestinationFailed, parse_destination, post_json
from promptuary.core.wire import parse_strict_json
from promptuary.evaluation.scorers.dependencies import ScorerDependencies
from promptuary.evaluation.scorers.score import BaseScorer, Score, ScorerInput
from promptuary.evaluation.scorers.scorer_type import NoConfig, ScorerSettings, ScorerType
from promptuary.evaluation.scorers.value_template import ValueTemplate
from promptuary.evaluation.scorers.values import TemplateValue
from promptuary.prompt.errors import Invalid

TIMEOUT_SECONDS = 10.0
URL_LIMIT = 2000


class WebhookVerdict(BaseModel):
    """The service's response; further fields are ignored."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")

    passed: Annotated[bool, Field(alias="pass")]
    score: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] | None = None
    reason: str | None = None


class UrlValue(TemplateValue):
    """The address of a webhook, which may be a template."""

    @classmethod
    def check(cls, value: JsonValue) -> None:
        """Check that there is an address."""
        if not isinstance(value, str) or not value.strip() or len(value) > URL_LIMIT:
            raise Invalid("is required: the webhook's address, as in https://hooks.example.com/score")


@dataclass(frozen=True)
class WebhookScorer(BaseScorer):
    """Passes if the service decides so; the service may also return a score and a reason."""

    url: ValueTemplate
    hosts: frozenset[str]

    async def score(self, sample: ScorerInput) -> Score:
        """Post `{output, context}`; any status but 2xx, and a response of another form, are errors."""
        body = {"output": sample.output, "context": {"prompt": sample.prompt_text, "vars": sample.case.vars}}
        status, content = await post_json(self.url.text(sample.case), body, hosts=self.hosts, timeout=TIMEOUT_SECONDS)
        if not 200 <= status < 300:
            raise DestinationFailed(f"the webhook answered with status {status}")
        try:
            verdict = WebhookVerdict.model_validate(parse_strict_json(content))
        except (PromptuaryError, ValidationError):
            raise DestinationFailed("the webhook gave no {pass, score?, reason?} that can be read") from None
        reason = verdict.reason or "the webhook decided"
        if verdict.score is None:
            return self.pass_or_fail(verdict.passed, reason)
        return self.graded(verdict.passed, verdict.score, reason)


def _build(settings: ScorerSettings[UrlValue, NoConfig], dependencies: ScorerDependencies) -> WebhookScorer:
    url = settings.value.template
    if url.constant:
        parse_destination(url.parsed, dependencies.webhook_hosts)
    elif not dependencies.webhook_hosts:
        raise Invalid("webhooks may go nowhere here; an operator can list hosts in PROMPTUARY_WEBHOOK_HOSTS")
    return WebhookScorer(*settings.base, url, dependencies.webhook_hosts)


SCORER_TYPES: dict[str, ScorerType[Any, Any]] = {"webhook": ScorerType(UrlValue, _build)}
