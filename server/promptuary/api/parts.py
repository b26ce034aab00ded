"""What an assembled service is made of, for whoever works in the same process: the local command line."""

from dataclasses import dataclass

from promptuary.base.changes import Changes
from promptuary.base.clock import Clock
from promptuary.base.database import Database
from promptuary.base.settings import Settings
from promptuary.context.retrieval import Retrieval


@dataclass(frozen=True)
class Parts:
    """The process's parts, one of each."""

    settings: Settings
    database: Database
    clock: Clock
    retrieval: Retrieval
    changes: Changes
