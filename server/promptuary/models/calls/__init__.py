"""Calls of models: remembered, at no more than a provider bears and a rate allows, asked again, priced, under a ceiling."""

from promptuary.models.calls.budget import CostLimitReached
from promptuary.models.calls.client import MAX_ATTEMPTS, ModelClient
from promptuary.models.calls.reply import parse_reply
from promptuary.models.calls.request import ChatModelSource, ModelCaller, ModelReply, ModelRequest
from promptuary.models.calls.retries import is_transient
from promptuary.models.calls.scope import sensitive_calls, time_limit

__all__ = [
    "MAX_ATTEMPTS",
    "ChatModelSource",
    "CostLimitReached",
    "ModelCaller",
    "ModelClient",
    "ModelReply",
    "ModelRequest",
    "is_transient",
    "parse_reply",
    "sensitive_calls",
    "time_limit",
]
