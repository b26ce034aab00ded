"""The ids of cases that have none, or a number for one."""

import hashlib
from typing import Any

from promptuary.evaluation.json_object import JsonObject
from promptuary.prompt.canonical_json import json_identity

_DIGITS = 10


class CaseIds:
    """The ids of one dataset's cases.

    An integer becomes its digits. A case without an id gets one of its content, which stays when cases move; the second case of
    one content gets a number behind it.
    """

    def __init__(self) -> None:
        """Begin a dataset."""
        self._copies: dict[str, int] = {}

    def with_id(self, body: JsonObject, row: int | None = None) -> JsonObject:
        """Return a case's fields with an id.

        Args:
            body: of the case, not checked yet.
            row: the number of its row in a table without a column `id`, which is then its id.
        """
        identity = text_id(body.get("id"))
        if identity is None or identity == "":
            identity = str(row) if row is not None else self._of_content(body)
        return {**body, "id": identity}

    def _of_content(self, body: JsonObject) -> str:
        content = {name: value for name, value in body.items() if name != "id" and value not in (None, [], {})}
        try:
            source = json_identity(content)
        except (TypeError, ValueError, RecursionError):
            source = repr(sorted(content))  # the schema refuses it anyway
        digest = hashlib.sha256(source.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGITS]
        self._copies[digest] = copies = self._copies.get(digest, 0) + 1
        return digest if copies == 1 else f"{digest} {copies}"


def text_id(value: Any) -> Any:
    """Return an id that is a whole number as its digits; any other value stays, for the schema to judge."""
    if isinstance(value, bool):
        return value
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    return str(value) if isinstance(value, int) else value
