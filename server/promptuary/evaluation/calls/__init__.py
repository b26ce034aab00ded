"""Calls of models: remembered, at no more than a provider bears and a rate allows, asked again, priced, under a ceiling."""

from promptuary.evaluation.calls.asking import ATTEMPTS, Calls
from promptuary.evaluation.calls.failure import transient
from promptuary.evaluation.calls.item import private, within
from promptuary.evaluation.calls.ledger import CeilingReached
from promptuary.evaluation.calls.reading import reply_of, storable
from promptuary.evaluation.calls.request import Asks, Chats, Reply, Request

__all__ = [
    "ATTEMPTS",
    "Asks",
    "Calls",
    "CeilingReached",
    "Chats",
    "Reply",
    "Request",
    "private",
    "reply_of",
    "storable",
    "transient",
    "within",
]
