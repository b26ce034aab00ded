"""What an assembled service is made of, for whoever works in the same process: the local command line."""

from dataclasses import dataclass

from promptuary.context.retrieval import PassageRetrieval
from promptuary.core.change_feed import ChangeFeed
from promptuary.core.clock import Clock
from promptuary.core.database import Database
from promptuary.core.settings import Settings


@dataclass(frozen=True)
class Services:
    """The process's parts, one of each."""

    settings: Settings
    database: Database
    clock: Clock
    retrieval: PassageRetrieval
    changes: ChangeFeed
