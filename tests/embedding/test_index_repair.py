import threading

import pytest

from promptuary.embedding import index_repair
from promptuary.embedding.index_repair import IndexRepair


class ClosingLog:
    """A log that closes the repair when one begins, as another thread could at that moment."""

    def __init__(self, repair: IndexRepair) -> None:
        self.repair = repair

    def warning(self, event: str, **_fields: object) -> None:
        if event.startswith("the index has lost something"):
            self.repair.close()


def test_a_repair_that_begins_while_all_are_closed_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    repair, rebuilt = IndexRepair(), threading.Event()
    monkeypatch.setattr(index_repair, "log", ClosingLog(repair))
    repair.start("a", rebuilt.set)
    assert rebuilt.is_set()
    rebuilt.clear()
    repair.start("b", rebuilt.set)
    repair.join()
    assert not rebuilt.is_set()
