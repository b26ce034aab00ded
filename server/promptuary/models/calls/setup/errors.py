"""Errors that every call of a model has until somebody changes its set-up: a wrong key, address or name, a missing package."""

from typing import Any
from urllib.parse import urlsplit

from promptuary.core.errors import PromptuaryError, Unavailable
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


class UnusableReply(PromptuaryError):
    """An address answers with success, and not in the protocol of a model."""

    code = "unusable_reply"

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


class SetupFailed(BaseException):
    """No call of a model can succeed. It ends the work as a whole, so handlers of `Exception` do not catch it."""


def setup_problem(model: str, error: BaseException) -> str | None:
    """Return what is wrong with a model's set-up, with the address, the status and the remedy; None for another error."""
    for cause in error_chain(error):
        if isinstance(cause, UnusableReply):
            return f"the model '{model}' cannot be used: {cause}"
        remedy = _remedy(model, http_status(cause))
        if remedy is not None:
            where = f" at {address}" if (address := _address(cause)) else ""
            detail = _detail(cause) if http_status(cause) == 404 else ""
            return f"the model '{model}'{where} answers {http_status(cause)}{detail}: {remedy}"
    return None


def _remedy(model: str, status: int | None) -> str | None:
    if status in (401, 403):
        provider = model.partition(":")[0]
        key = _OTHER_KEYS.get(provider, f"{provider.upper()}_API_KEY")
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
    body = getattr(error, "body", None)
    message = body.get("message") if isinstance(body, dict) else None
    text = " ".join(str(message).split()) if message else ""
    return f" ({text[:_EXCERPT]})" if text else ""
