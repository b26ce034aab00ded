"""Plain YAML scalars that are not the texts that they look like: `NO` is false, `1.10` is 1.1, `12:30` is 750.

YAML 1.1, which prompt files are written in, has these rules. Where a value is the author's own data and no schema names its
type, a scalar that JSON would write in another way is refused; where a text is needed, the error asks to quote it.
"""

import json
import re

from promptuary.prompt.errors import FieldError
from promptuary.prompt.files.yaml_document import YamlDocument

_DATA = re.compile(r"(?<!variables)(?<!properties)\.(enum|const|default|examples)(\.|$)|^config(\.|$)")
_DECEPTIVE = re.compile(r"(?i)(yes|no|on|off)|[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?|[-+]?0[0-7_]+|[-+]?[0-9.]*_[0-9_.]*")
_TEXT_NEEDED = re.compile(r"must be (a string|of type string|a list of strings)")


def quoting_errors(document: YamlDocument) -> list[FieldError]:
    """Return an error for each scalar of the author's data that YAML reads as something else than it looks like."""
    return [
        FieldError(path, f'{text} is read as {json.dumps(value)}: quote it ("{text}"), or write {json.dumps(value)}')
        for path, (text, value) in document.plain.items()
        if _DATA.search(path) and _DECEPTIVE.fullmatch(text)
    ]


def with_quoting_hint(error: FieldError, document: YamlDocument) -> FieldError:
    """Return an error of a value that should be a text with the advice to quote it, where YAML made it something else."""
    if not _TEXT_NEEDED.search(error.message):
        return error
    for path in (error.path, f"{error.path}.default", f"{error.path}.0"):
        if path in document.plain:
            text, _ = document.plain[path]
            return FieldError(error.path, f'{error.message}; quote it: "{text}"', error.line)
    return error
