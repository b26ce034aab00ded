"""The wire models of rules and of the exchange, in the words of RFC 8693."""

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import Field, Strict, StringConstraints

from promptuary.access.keyless.rule import KeylessRule
from promptuary.access.role import Scope
from promptuary.core.wire import RequestModel, ResponseModel
from promptuary.prompt.name import Name

TokenType = Literal["urn:ietf:params:oauth:token-type:jwt", "urn:ietf:params:oauth:token-type:id_token"]
ClaimText = Annotated[str, StringConstraints(pattern=r"^[!-~](?:[ -~]{0,498}[!-~])?$")]


class NewKeylessRule(RequestModel):
    """A rule: which pipelines get a key, by what their platform's token states."""

    issuer: ClaimText
    repository: ClaimText
    branch: ClaimText
    repository_id: ClaimText | None = None
    environment: ClaimText | None = None
    event: ClaimText | None = None
    grants: Annotated[list[Annotated[Scope, Strict(False)]], Field(max_length=20)] = Field(default_factory=list)
    minutes: Annotated[int, Field(ge=1, le=720)] = 60


class KeylessRuleOut(ResponseModel):
    """A stored rule."""

    id: str
    issuer: str
    repository: str
    repository_id: str | None
    branch: str
    environment: str | None
    event: str | None
    grants: list[str]
    minutes: int
    created_at: datetime

    @classmethod
    def of(cls, rule: KeylessRule) -> Self:
        """Build it from the domain value."""
        return cls.model_validate({**vars(rule), **vars(rule.pattern), "grants": sorted(rule.grants)})


class TokenExchange(RequestModel):
    """The exchange of a platform's token (RFC 8693) for a key."""

    grant_type: Literal["urn:ietf:params:oauth:grant-type:token-exchange"]
    subject_token: Annotated[str, Field(min_length=1, max_length=32 * 1024)]
    subject_token_type: TokenType
    project: Name | None = None


class ExchangedKeyOut(ResponseModel):
    """A short key, which no other response contains."""

    access_token: str
    issued_token_type: Literal["urn:ietf:params:oauth:token-type:access_token"] = (
        "urn:ietf:params:oauth:token-type:access_token"
    )
    token_type: str = "Bearer"
    expires_in: int
    id: str
    project: str
    role: str
    scope: str
