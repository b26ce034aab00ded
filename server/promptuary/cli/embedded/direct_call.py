"""What a direct call of the services is, and the parts of a request that it reads.

A direct call accepts only the plain form of each part, in which the route accepts it too. Whatever else there is, the app
answers: it has every rule, and its own words for what it refuses.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from promptuary.access.unit_of_work import UnitOfWork
from promptuary.core.settings import Settings
from promptuary.core.wire import parse_strict_json
from promptuary.prompt.errors import PromptuaryError
from promptuary.prompt.name import is_name
from promptuary.prompt.text import CREDENTIAL

BODY_LIMIT = 2**24
"""In bytes; the app answers longer ones."""
_NUMBER_LIMIT = 2**31 - 1
_PLAIN_TEXT = re.compile(r"[A-Za-z0-9 .:@_-]{1,200}", re.ASCII)
Model = TypeVar("Model", bound=BaseModel)


class NotDirect(Exception):
    """A request that the app answers."""


Work = Callable[[UnitOfWork], str | None]
"""What a call does in its transaction. It returns the JSON of the response, None for an empty one."""


@dataclass(frozen=True)
class Request:
    """A request of a command.

    Attributes:
        names: the parts of the path that are names or numbers, in their order.
        query: the query parameters.
        settings: of the service.
        body: the value of the JSON body; None for a request without one.
        lines: the body where it is JSON lines, piece by piece; None for another.
    """

    names: tuple[str, ...]
    query: Mapping[str, Any]
    settings: Settings
    body: Any = None
    lines: Iterable[bytes] | None = None

    def name(self, place: int = 0) -> str:
        """Return a name of the path."""
        if not is_name(self.names[place]):
            raise NotDirect
        return self.names[place]

    def number(self, place: int = 1) -> int:
        """Return a number of the path."""
        text = self.names[place]
        if not (text.isascii() and text.isdigit() and len(text) < 10 and text[0] != "0"):
            raise NotDirect
        return int(text)

    def query_text(self, name: str) -> str | None:
        """Return a parameter that is a plain text; None where it is not sent."""
        text = self.query.get(name)
        if text is None:
            return None
        if not (isinstance(text, str) and _PLAIN_TEXT.fullmatch(text)) or CREDENTIAL.search(text):
            raise NotDirect
        return text

    def query_number(self, name: str, default: int | None = None, most: int = _NUMBER_LIMIT) -> int | None:
        """Return a parameter that is a number from 1 to the most."""
        value = self.query.get(name, default)
        if value is not None and not (type(value) is int and 1 <= value <= most):
            raise NotDirect
        return value

    def query_flag(self, name: str) -> bool:
        """Return a parameter that is true or false; false where it is not sent."""
        value = self.query.get(name, False)
        if not isinstance(value, bool):
            raise NotDirect
        return value

    def page(self, unit: UnitOfWork) -> tuple[int, str | None]:
        """Return the number of items of a page, and where it begins."""
        limit = self.query_number("limit", 50, 10_000)
        assert limit is not None
        cursor = self.query.get("cursor")
        if cursor is not None and not (isinstance(cursor, str) and cursor.isascii() and 0 < len(cursor) <= 1000):
            raise NotDirect
        return min(limit, unit.settings.page_limit), cursor

    def parse(self, model: type[Model]) -> Model:
        """Return the body as a model of a request, read as strictly as the app reads it."""
        try:
            encoded = json.dumps(self.body, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
            if len(encoded) > BODY_LIMIT:
                raise NotDirect
            return model.model_validate(parse_strict_json(encoded))
        except (ValueError, RecursionError, ValidationError, PromptuaryError):
            raise NotDirect from None


@dataclass(frozen=True)
class DirectCall:
    """A call of the services that does what a route does.

    Attributes:
        prepare: reads a request, and returns what is to be done in the transaction; raises NotDirect before anything is done.
        query: the parameters of the query that the request may have.
        writes: whether the transaction is one that writes.
        takes_lines: whether the request's body is JSON lines.
    """

    prepare: Callable[[Request], Work]
    query: tuple[str, ...] = ()
    writes: bool = False
    takes_lines: bool = False


def to_json(model: BaseModel) -> str:
    """Return a wire model as the app sends it."""
    return model.model_dump_json(by_alias=True)
