"""The one room of the library `jsonschema`.

Where its extra for formats is installed, the library imports a parser of IRIs at once, and compiling its grammar takes
seconds of processor time. Here it is imported when an IRI is first checked.
"""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from types import ModuleType

_IRI_PARSER = "rfc3987_syntax"


def _is_valid_syntax(term: str, text: str) -> bool:
    """Return whether a text is of a term of RFC 3987, by the real parser."""
    return bool(importlib.import_module(_IRI_PARSER).is_valid_syntax(term, text))


@contextmanager
def _iri_parser_on_demand() -> Iterator[None]:
    """Replace the parser of IRIs, for what is imported inside, by a function that imports it when it is called."""
    if _IRI_PARSER in sys.modules or find_spec(_IRI_PARSER) is None:
        yield
        return
    stand_in = ModuleType(_IRI_PARSER)
    vars(stand_in)["is_valid_syntax"] = _is_valid_syntax
    sys.modules[_IRI_PARSER] = stand_in
    try:
        yield
    finally:
        if sys.modules.get(_IRI_PARSER) is stand_in:
            del sys.modules[_IRI_PARSER]


with _iri_parser_on_demand():
    import jsonschema as jsonschema
    from jsonschema.protocols import Validator as Validator
