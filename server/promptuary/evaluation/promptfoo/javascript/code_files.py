"""Files of JavaScript that a promptfoo file names: their content goes into the suite, and nothing of it is run here."""

from typing import Any

from promptuary.evaluation.javascript.source import MODULE_SUFFIXES, TYPESCRIPT_SUFFIXES
from promptuary.evaluation.promptfoo.files import SCHEME, PromptfooFolder
from promptuary.evaluation.promptfoo.raw import RawObject
from promptuary.evaluation.promptfoo.report import Unsupported


def is_javascript(value: Any) -> bool:
    """Return whether a value names a file of JavaScript or TypeScript, with or without `:function` behind it."""
    return isinstance(value, str) and _parts(value)[0].endswith((*MODULE_SUFFIXES, *TYPESCRIPT_SUFFIXES))


def javascript_file(reference: str, folder: PromptfooFolder) -> RawObject:
    """Return a file's name, its content, and the function that is called; an empty name is the default export.

    Raises:
        Unsupported: for a file that is not there, or outside the folder.
    """
    name, function = _parts(reference)
    if not is_javascript(reference):
        raise Unsupported(f"'{name}' is no file of JavaScript")
    return {"file": name, "function": function, "code": folder.text(folder.find(name)[0])}


def _parts(reference: str) -> tuple[str, str]:
    name, colon, function = reference.removeprefix(SCHEME).rpartition(":")
    return (name, function) if colon else (function, "")
