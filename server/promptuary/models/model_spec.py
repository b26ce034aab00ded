"""A model as a suite names it: by its name alone, or with a label, an address, the variable of its key, and settings."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    Discriminator,
    Field,
    JsonValue,
    SerializerFunctionWrapHandler,
    StringConstraints,
    Tag,
    model_serializer,
)

from promptuary.core.wire import RequestModel
from promptuary.models.chat_models import model_name_error
from promptuary.prompt.described_fields import DescribedByFields

_BODY_OF_ITS_OWN = frozenset(
    {
        *("model", "messages", "input", "stream", "n", "tools", "tool_choice", "response_format"),
        *("max_tokens", "max_completion_tokens", "max_output_tokens", "temperature", "top_p", "top_k", "seed", "stop"),
        *("frequency_penalty", "presence_penalty", "reasoning_effort"),
    }
)
"""Members of a request's body that `extra_body` must not replace: they are settings, or come from the prompt."""


LABEL_BEGINS = " ("
"""What stands between a model's name, which has no spaces, and its label, as results show them."""


def _check_model_name(name: str) -> str:
    if message := model_name_error(name):
        raise ValueError(message)
    return name


def _check_base_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in ("http", "https") or not url.isprintable() or " " in url:
        raise ValueError("must be the base URL of the model's API, as in http://127.0.0.1:8000/v1")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("takes no user, password, query or fragment; name the variable of the key in `api_key_env`")
    return url


def _check_extra_body(body: dict[str, JsonValue]) -> dict[str, JsonValue]:
    if refused := sorted(body.keys() & _BODY_OF_ITS_OWN):
        raise ValueError(f"cannot have `{refused[0]}`, which is a setting of its own or comes from the prompt")
    return body


ModelName = Annotated[str, Field(max_length=200), AfterValidator(_check_model_name)]
ModelLabel = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$")]
Number = Annotated[float, Field(allow_inf_nan=False, ge=-1_000_000, le=1_000_000)]
Texts = Annotated[list[Annotated[str, Field(max_length=1000)]], Field(min_length=1, max_length=16)]


class ModelSpec(DescribedByFields, RequestModel):
    """A model with its own settings; those that are set take precedence over the prompt's.

    The settings have the names of LangChain's models. Those of reasoning are passed on in each provider's way:
    `thinking_budget` is a number of tokens for any provider that has one.
    """

    name: ModelName
    label: ModelLabel | None = None
    base_url: Annotated[str, Field(max_length=1000), AfterValidator(_check_base_url)] | None = None
    api_key_env: Annotated[str, StringConstraints(max_length=200, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")] | None = None
    temperature: Number | None = None
    max_tokens: Annotated[int, Field(ge=1, le=10_000_000)] | None = None
    top_p: Number | None = None
    top_k: Annotated[int, Field(ge=-1, le=1_000_000)] | None = None
    frequency_penalty: Number | None = None
    presence_penalty: Number | None = None
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None
    stop: Texts | None = None
    reasoning_effort: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    reasoning: dict[str, JsonValue] | bool | str | None = None
    thinking: dict[str, JsonValue] | None = None
    thinking_budget: Annotated[int, Field(ge=-1, le=10_000_000)] | None = None
    verbosity: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    service_tier: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    logprobs: Literal[True] | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=100)] | None = None
    extra_body: Annotated[dict[str, JsonValue], AfterValidator(_check_extra_body)] | None = None

    @model_serializer(mode="wrap")
    def _without_defaults(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in handler(self).items() if value is not None}

    def __str__(self) -> str:
        """Return the name, with the label or else the address, as results and evidence show it."""
        distinction = self.label or (urlsplit(self.base_url).netloc if self.base_url else "")
        return f"{self.name}{LABEL_BEGINS}{distinction})" if distinction else self.name

    @property
    def config(self) -> dict[str, Any]:
        """The settings, the address and the variable of the key, as `ChatModels.chat` takes them."""
        body: dict[str, Any] = self.model_dump(mode="json")
        return {name: value for name, value in body.items() if name not in ("name", "label")}


def model_tag(value: Any) -> str:
    """Return the branch of a union of names and models with settings."""
    return "<model>" if isinstance(value, dict | ModelSpec) else "<name>"


ModelRef = Annotated[
    Annotated[ModelName, Tag("<name>")] | Annotated[ModelSpec, Tag("<model>")],
    Discriminator(model_tag),
]
"""A model's name, or a model with settings of its own. The names of union branches in `<…>` stay out of errors."""


def model_spec(model: "str | ModelSpec") -> ModelSpec:
    """Return a model as one with settings; those of a name alone are empty.

    The name is not checked: the source of the models does that, and tests have models of their own.
    """
    return model if isinstance(model, ModelSpec) else ModelSpec.model_construct(name=model)


def parse_model(value: "str | Mapping[str, Any]") -> ModelSpec:
    """Parse the stored JSON of a model, which was checked when it was stored."""
    return model_spec(value) if isinstance(value, str) else ModelSpec.model_validate(value)


def column_name(model: "str | ModelSpec") -> str:
    """Return how a model is called among the models of one run: by its label, else by its name and address."""
    return model.label if isinstance(model, ModelSpec) and model.label else str(model)


def model_json(model: "str | ModelSpec | None") -> Any:
    """Return the JSON of a model as a suite's definition has it."""
    return model.model_dump(mode="json") if isinstance(model, ModelSpec) else model
