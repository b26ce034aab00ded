"""Errors that every call of a model has until somebody changes its set-up: a wrong key, address or name, a missing package."""

from typing import Any
from urllib.parse import urlsplit

from promptuary.core.errors import Unavailable
from promptuary.models.calls.request import ModelRequest
from promptuary.models.calls.retries import error_chain, http_status

_EXCERPT = 200
_OTHER_KEYS = {
    "azure_openai": "AZURE_OPENAI_API_KEY",
    "bedrock": "the AWS credentials",
    "bedrock_converse": "the AWS credentials",
    "google_genai": "GOOGLE_API_KEY",
    "google_vertexai": "the Google credentials",
    "mistralai": "MISTRAL_API_KEY",
    "ollama": "the server's settings",
    "perplexity": "PPLX_API_KEY",
}


class UnusableReply(Unavailable):
    """An address answers with success, and not in the protocol of a model."""

    code = "unusable_reply"
    is_permanent = True

    def __init__(self, address: str, content: str) -> None:
        """Store what was answered.

        Args:
            address: of the API.
            content: what came instead of a completion, as the rest of a sentence.
        """
        super().__init__(
            f"{address} answered 200 with {content}; it must be the base URL of OpenAI's protocol, as in https://host/v1"
        )


class ModelNotSetUp(Unavailable):
    """A provider's package refuses to build a model, for example without a key."""

    code = "model_not_set_up"
    is_permanent = True


class SetupFailed(BaseException):
    """No call of a model can succeed. It ends the work as a whole, so handlers of `Exception` do not catch it."""


def setup_problem(request: ModelRequest, error: BaseException) -> str | None:
    """Return what is wrong with a model's set-up, with the address, the status and the remedy; None for another error."""
    model = request.model
    for cause in error_chain(error):
        if isinstance(cause, UnusableReply):
            return f"the model '{model}' cannot be used: {cause}"
        remedy = _remedy(request, http_status(cause))
        if remedy is not None:
            where = f" at {address}" if (address := _address(cause)) else ""
            detail = _detail(cause) if http_status(cause) == 404 else ""
            return f"the model '{model}'{where} answers {http_status(cause)}{detail}: {remedy}"
    return None


def provider_error_text(error: BaseException) -> str | None:
    """Return a provider's refusal as a sentence: the address, the status and the provider's message; None for another error."""
    status = http_status(error)
    if status is None:
        return None
    message = _provider_message(error) or " ".join(str(error).split())[:_EXCERPT]
    return f"the endpoint {_address(error) or 'of the model'} answers {status}: {message}"


def _remedy(request: ModelRequest, status: int | None) -> str | None:
    if status in (401, 403):
        provider = request.provider
        key = request.config.get("api_key_env") or _OTHER_KEYS.get(provider, f"{provider.upper()}_API_KEY")
        if request.config.get("base_url") and not request.config.get("api_key_env"):
            return "the address wants a key; name its variable in the model's `api_key_env`"
        return f"the key is missing, wrong, or may not use the model; check {key}"
    if status == 404:
        return "there is no such address or model; check the base URL and the model's name"
    return "the address takes no chat requests; check the base URL" if status == 405 else None


def _address(error: BaseException) -> str:
    """Return the address that was called, without its query; empty where the error does not have it."""
    request: Any = getattr(error, "request", None) or getattr(getattr(error, "response", None), "request", None)
    parts = urlsplit(str(getattr(request, "url", "") or ""))
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}" if host else ""


def _detail(error: BaseException) -> str:
    """Return the provider's own message, in parentheses."""
    text = _provider_message(error)
    return f" ({text})" if text else ""


def _provider_message(error: BaseException) -> str:
    """Return the message in the body of a provider's error; empty where there is none."""
    body = getattr(error, "body", None)
    nested = body.get("error") if isinstance(body, dict) and isinstance(body.get("error"), dict) else body
    message = nested.get("message") if isinstance(nested, dict) else None
    return " ".join(str(message).split())[:_EXCERPT] if message else ""
