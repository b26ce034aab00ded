"""Sign-in sessions; mirrors `SessionOut` and `OpenedSessionOut` of the server."""

from datetime import datetime

from pydantic import Field

from promptuary_ui.wire.base import ApiModel


class Session(ApiModel):
    """A session of the caller; `current` marks the one of this browser."""

    id: str
    project: str
    user_agent: str
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime
    current: bool


class OpenedSession(ApiModel):
    """A new session with its token."""

    id: str
    token: str = Field(repr=False)
    name: str
    project: str
    expires_at: datetime


class Provider(ApiModel):
    """The identity provider; None where none is set up."""

    name: str | None


class Authorization(ApiModel):
    """Where a person signs in with the identity provider, and where it sends the browser after that."""

    url: str
    redirect_uri: str
