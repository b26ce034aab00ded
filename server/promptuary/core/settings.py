"""Every setting, read once from `PROMPTUARY_…` variables; nothing else reads the environment."""

import json
import os
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from promptuary.core.errors import Invalid
from promptuary.http_server.limits import ConnectionLimits
from promptuary.prompt.errors import FieldError
from promptuary.prompt.registration.validation import CONFIG_LIMIT
from promptuary.prompt.validation_errors import field_errors_from

Share = Annotated[float, Field(ge=0, le=1)]
Url = Annotated[str, Field(pattern=r"^https?://[^\s?#]+$", max_length=300)]


Platform = Literal["github", "gitlab"]
PUBLIC_PLATFORMS: dict[str, Platform] = {
    "https://token.actions.githubusercontent.com": "github",
    "https://gitlab.com": "gitlab",
}
"""The issuers of the tokens of pipelines on both public platforms."""


class InvalidSettings(Invalid):
    """A `PROMPTUARY_…` variable has a value that is not accepted; the client has its own error of this name and code."""

    code = "invalid_settings"


def _default_data_dir() -> Path:
    return Path.home() / ".local" / "share" / "promptuary"


class RateLimit(BaseModel):
    """The most requests and tokens that all runs of a process together send to a provider."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    requests_per_minute: Annotated[int, Field(ge=1, le=10_000_000)] | None = None
    tokens_per_minute: Annotated[int, Field(ge=1, le=10_000_000_000)] | None = None


def _json(value: Any) -> Any:
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError:
        raise ValueError('is not JSON, as in {"openai": {"requests_per_minute": 500}}') from None


class Settings(BaseSettings):
    """What an operator can set. Each field is the variable `PROMPTUARY_` and the field's name in capitals."""

    model_config = SettingsConfigDict(env_prefix="PROMPTUARY_", extra="ignore", frozen=True)

    command_line: ClassVar[bool] = False
    """Whether this process works for the person who called a command; no variable can set it."""

    data_dir: Path = Field(default_factory=_default_data_dir)
    database_url: SecretStr | None = None
    database_timeout: Annotated[float, Field(ge=1, le=3600)] = 4.0
    chroma_url: str | None = None
    mlflow_tracking_uri: str | None = None
    embedding_model: str = "all-MiniLM-L6-v2"
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8400
    ui_port: Annotated[int, Field(ge=0, le=65535)] = 8401
    mlflow_port: Annotated[int, Field(ge=0, le=65535)] = 8402
    allowed_hosts: str = ""
    public_url: Url | None = None
    public_ui_url: Url | None = None
    trusted_proxies: str = ""
    header_limit: Annotated[int, Field(ge=4096, le=1024 * 1024)] = ConnectionLimits.header_bytes
    header_count: Annotated[int, Field(ge=10, le=10_000)] = ConnectionLimits.header_count
    header_timeout: Annotated[float, Field(gt=0, le=3600)] = ConnectionLimits.header_seconds
    body_timeout: Annotated[float, Field(gt=0, le=3600)] = ConnectionLimits.body_seconds
    keep_alive_timeout: Annotated[float, Field(gt=0, le=3600)] = ConnectionLimits.keep_alive_seconds
    send_timeout: Annotated[float, Field(gt=0, le=3600)] = ConnectionLimits.send_seconds
    wrong_key_limit: Annotated[int, Field(ge=0, le=1_000_000)] = 30
    all_wrong_key_limit: Annotated[int, Field(ge=0, le=1_000_000)] = 600
    key_request_limit: Annotated[int, Field(ge=0, le=10_000_000)] = 0
    key_lookup_limit: Annotated[int, Field(ge=0, le=10_000_000)] = 0
    connection_limit: Annotated[int, Field(ge=16, le=100_000)] = ConnectionLimits.connections
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    body_limit: Annotated[int, Field(ge=1024)] = 1024 * 1024
    config_limit: Annotated[int, Field(ge=0)] = CONFIG_LIMIT
    output_limit: Annotated[int, Field(ge=1024)] = 1024 * 1024
    attachment_limit: Annotated[int, Field(ge=1024)] = 8 * 1024 * 1024
    jinja2: bool = False
    lookup_memory: Annotated[int, Field(ge=0)] = 64 * 1024 * 1024
    page_limit: Annotated[int, Field(ge=1, le=10_000)] = 200
    stream_limit: Annotated[int, Field(ge=0, le=100_000)] = 1000
    session_hours: Annotated[int, Field(ge=1, le=720)] = 12
    claim_seconds: Annotated[int, Field(ge=5, le=86_400)] = 300
    lease_seconds: Annotated[int, Field(ge=5, le=3600)] = 60
    model_threads: Annotated[int, Field(ge=1, le=256)] = 2
    concurrency: Annotated[int, Field(ge=1, le=1024)] = 4
    similar_threshold: Annotated[float, Field(gt=0, le=1)] = 0.8
    case_timeout: Annotated[float, Field(gt=0, le=3600)] = 120.0
    rate_limits: Annotated[dict[str, RateLimit], NoDecode, BeforeValidator(_json)] = Field(default_factory=dict)
    retry_days: Annotated[int, Field(ge=1, le=36_500)] = 7
    answer_days: Annotated[int, Field(ge=1, le=36_500)] = 30
    executor: Literal["local", "ray"] = "local"
    ray_address: str | None = None
    code_scorers: bool = False
    code_path: str = ""
    target_hosts: str = ""
    target_variables: str = ""
    javascript: bool = True
    model_hosts: str = ""
    model_variables: str = ""
    webhook_hosts: str = ""
    webhook_secret: SecretStr | None = None
    metrics_open: bool = False
    oidc_issuer: Url | None = None
    oidc_client_id: str = ""
    oidc_client_secret: SecretStr | None = None
    oidc_name: Annotated[str, Field(min_length=1, max_length=60)] = "your organisation"
    oidc_scopes: Annotated[str, Field(pattern=r"^openid( [\x21\x23-\x5b\x5d-\x7e]+)*$")] = "openid profile"
    oidc_groups_claim: Annotated[str, Field(min_length=1, max_length=200)] = "groups"
    oidc_roles: Annotated[dict[str, list[str]], NoDecode, BeforeValidator(_json)] = Field(default_factory=dict)
    keyless_issuers: Annotated[dict[str, Platform], NoDecode, BeforeValidator(_json)] = Field(
        default_factory=lambda: dict(PUBLIC_PLATFORMS)
    )
    keyless_audience: Annotated[str, Field(max_length=300)] = ""
    dataset_limit: Annotated[int, Field(ge=1024)] = 64 * 1024 * 1024
    traffic_sample: Share = 0.05
    traffic_error_sample: Share = 1.0
    traffic_low_sample: Share = 1.0
    traffic_low_value: Share = 0.5
    traffic_reservoir: Annotated[int, Field(ge=1, le=1_000_000)] = 1000
    traffic_redaction: str = ""
    traffic_keep: Literal["attributed", "all"] = "attributed"
    traffic_wait: Annotated[int, Field(ge=0, le=86_400)] = 600
    traffic_days: Annotated[int, Field(ge=1, le=36_500)] = 30
    traffic_counter_days: Annotated[int, Field(ge=1, le=36_500)] = 400
    traffic_repeat_hours: Annotated[int, Field(ge=1, le=8760)] = 24
    traffic_body_limit: Annotated[int, Field(ge=1024)] = 8 * 1024 * 1024
    traffic_span_limit: Annotated[int, Field(ge=1, le=1_000_000)] = 10_000

    @cached_property
    def sql_url(self) -> str:
        """The database's URL: the configured one, else a SQLite file in the data directory."""
        if self.database_url:
            return self.database_url.get_secret_value()
        return f"sqlite:///{self.data_dir / 'promptuary.db'}"

    @cached_property
    def tracking_uri(self) -> str:
        """MLflow's tracking URI: the configured one, else a SQLite file in the data directory."""
        return self.mlflow_tracking_uri or f"sqlite:///{self.data_dir / 'mlflow.db'}"

    @cached_property
    def connection_limits(self) -> ConnectionLimits:
        """The limits of a server's connections."""
        return ConnectionLimits(
            header_bytes=self.header_limit,
            header_count=self.header_count,
            header_seconds=self.header_timeout,
            body_seconds=self.body_timeout,
            keep_alive_seconds=self.keep_alive_timeout,
            send_seconds=self.send_timeout,
            connections=self.connection_limit,
        )

    @cached_property
    def ui_url(self) -> str:
        """Where people reach the UI: the public address, else the one on this machine."""
        return self.public_ui_url or f"http://127.0.0.1:{self.ui_port}"

    @cached_property
    def token_audience(self) -> str:
        """For whom a pipeline's token must be: the configured audience, else the address of this API."""
        return self.keyless_audience or (self.public_url or f"http://{self.host}:{self.port}").rstrip("/")

    @cached_property
    def hosts(self) -> frozenset[str]:
        """The host names that requests may be sent to: loopback's, the bound address, and the configured ones."""
        return frozenset({"127.0.0.1", "localhost", "[::1]", self.host, *_names(self.allowed_hosts)})

    @cached_property
    def allowed_target_hosts(self) -> frozenset[str] | None:
        """The hosts and networks that suites may ask applications at, none by default; None for any, on the command line."""
        return None if self.command_line else _names(self.target_hosts)

    @cached_property
    def allowed_target_variables(self) -> frozenset[str] | None:
        """The variables of the environment that applications may get, none by default; None for any, on the command line."""
        return None if self.command_line else _names(self.target_variables)

    @cached_property
    def allowed_model_hosts(self) -> frozenset[str] | None:
        """The hosts and networks that a suite's models may have as `base_url`, none by default; None for any, as above."""
        return None if self.command_line else _names(self.model_hosts)

    @cached_property
    def allowed_model_variables(self) -> frozenset[str] | None:
        """The variables of the environment that a suite may name as keys of models, none by default; None for any, as above."""
        return None if self.command_line else _names(self.model_variables)

    @cached_property
    def allowed_webhook_hosts(self) -> frozenset[str]:
        """The hosts that webhooks may be sent to; none by default."""
        return _names(self.webhook_hosts)


class CommandLineSettings(Settings):
    """The settings of a command, which works with the rights of the person who called it."""

    command_line: ClassVar[bool] = True


def read_secret(name: str) -> str | None:
    """Return the value of a variable that an operator set for an application; None where it is not set or not to be passed on.

    The program's own variables, which contain its keys and its database's password, are never returned.
    """
    return None if name.upper().startswith("PROMPTUARY_") else os.environ.get(name)


def secret_names() -> list[str]:
    """Return the names of all variables that may be passed on."""
    return [name for name in os.environ if not name.upper().startswith("PROMPTUARY_")]


def _names(listed: str) -> frozenset[str]:
    return frozenset(filter(None, (name.strip() for name in listed.split(","))))


def read_settings(*, command_line: bool = False, **overrides: object) -> Settings:
    """Read the settings from the environment; overrides that are not None take precedence.

    Args:
        command_line: whether they are those of a command.
        overrides: values by the names of fields.

    Raises:
        InvalidSettings: with every variable that is wrong.
    """
    try:
        kind = CommandLineSettings if command_line else Settings
        return kind(**{name: value for name, value in overrides.items() if value is not None})  # type: ignore[arg-type]  # pydantic checks them
    except ValidationError as error:
        field_errors = [
            FieldError(f"PROMPTUARY_{field_error.path.upper()}", field_error.message)
            for field_error in field_errors_from(error)
        ]
        raise InvalidSettings("the settings cannot be used", field_errors) from None
