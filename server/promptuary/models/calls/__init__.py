"""Model calls: the client with its response cache, limits, retries, prices and budget."""

from promptuary.models.calls.budget import CostLimitReached
from promptuary.models.calls.client import ModelClient
from promptuary.models.calls.reply import parse_reply
from promptuary.models.calls.request import ChatModelSource, ModelCaller, ModelReply, ModelRequest
from promptuary.models.calls.retries import MAX_ATTEMPTS, is_transient
from promptuary.models.calls.scope import sensitive_calls, time_limit
from promptuary.models.calls.setup.errors import SetupFailed

__all__ = [
    "MAX_ATTEMPTS",
    "ChatModelSource",
    "CostLimitReached",
    "ModelCaller",
    "ModelClient",
    "ModelReply",
    "ModelRequest",
    "SetupFailed",
    "is_transient",
    "parse_reply",
    "sensitive_calls",
    "time_limit",
]
