"""Cases in a temporary file: counted and digested as they are added, and read as often as they are needed."""

import hashlib
import json
import weakref
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from tempfile import SpooledTemporaryFile

from promptuary.evaluation.case import Case, case_from_json, case_to_json
from promptuary.evaluation.json_object import JsonObject
from promptuary.prompt.canonical_json import InOrder, canonical_json

_IN_MEMORY = 1024 * 1024
_PIECE = 64 * 1024


class CaseSpool:
    """Cases in their order, one a line in a temporary file that is deleted with the object.

    Attributes:
        asserts: whether any case has scorers of its own.
        conversations: whether any case is a conversation.
        size: bytes of the file.
        is_checked: whether who added the cases checked each as the wire model of cases, and their ids together.
    """

    def __init__(self, cases: Iterable[Case] = ()) -> None:
        """Create the file, and add cases."""
        self._file = SpooledTemporaryFile(_IN_MEMORY)  # closed with the object
        self._closed = weakref.finalize(self, self._file.close)
        self._hash = hashlib.sha256(b"[")
        self._count = self.size = 0
        self.is_checked = False
        self.asserts = self.conversations = False
        for case in cases:
            self.add(case)

    def add(self, case: Case) -> int:
        """Add a case after the others; return the number of bytes of its JSON."""
        body = case_to_json(case)
        if self._count:
            self._hash.update(b",")
        self._hash.update(canonical_json(_digested(body)))
        line = json.dumps(body, ensure_ascii=False).encode() + b"\n"  # not canonical, where 1.0 is 1
        self._file.write(line)
        self._count += 1
        self.size += len(line)
        self.asserts = self.asserts or case.has_scorers
        self.conversations = self.conversations or case.is_conversation
        return len(line)

    @property
    def digest(self) -> str:
        """The digest of the JSON list of the cases, which depends on their order.

        The order and numbers in variables and references are part of it, for they reach a model; those that are in the
        canonical form have the digest of releases before 0.4.0.
        """
        whole = self._hash.copy()
        whole.update(b"]")
        return "sha256:" + whole.hexdigest()

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Case]:
        return map(case_from_json, self.bodies())

    def bodies(self) -> Iterator[JsonObject]:
        """Yield each case's JSON."""
        return map(json.loads, self._lines())

    def pieces(self) -> "CasePieces":
        """Return the whole file in pieces, for sending."""
        return CasePieces(self)

    def read_pieces(self) -> Iterator[bytes]:
        """Yield the whole file in pieces."""
        self._file.seek(0)
        while piece := self._file.read(_PIECE):
            yield piece

    def _lines(self) -> Iterator[bytes]:
        self._file.seek(0)
        yield from self._file


@dataclass(frozen=True)
class CasePieces:
    """The JSON lines of cases; what receives them in the same process can have the cases instead.

    Attributes:
        cases: as they are on disk.
    """

    cases: CaseSpool

    def __iter__(self) -> Iterator[bytes]:
        return self.cases.read_pieces()


def _digested(body: JsonObject) -> JsonObject:
    """Return the JSON of a case with what reaches a model as it was sent: variables, the reference, turns, results of tools."""
    digested = dict(body)
    digested["vars"] = {name: InOrder(value) for name, value in body["vars"].items()}
    if "expected" in body:
        digested["expected"] = InOrder(body["expected"])
    for name in ("turns", "tool_results"):
        if name in body:
            digested[name] = InOrder(body[name])
    return digested
