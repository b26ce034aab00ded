"""Sources of JavaScript as promptfoo reads them: assertions, transforms, and files that export functions."""

import re
from dataclasses import dataclass
from pathlib import PurePosixPath

from promptuary.evaluation.javascript.words import Word, words_of
from promptuary.prompt.errors import Invalid

MODULE_SUFFIXES = (".js", ".cjs", ".mjs")
TYPESCRIPT_SUFFIXES = (".ts", ".cts", ".mts")
CODE_LIMIT = 256 * 1024
_DECLARES = re.compile(r"(?:const|let|var)\s")


def assertion_body(code: str) -> str:
    """Return the body of the function that an assertion stands for.

    Several lines are a body. One line is an expression; what begins with a declaration ends with one, after its last semicolon.
    """
    code = code.rstrip()
    if "\n" in code:
        return code
    line = code.strip()
    line = line.rstrip(";").rstrip() if line.endswith(";") else line
    if not _DECLARES.match(line):
        return f"return {line}"
    end = _last_semicolon(line)
    return f"return {line}" if end < 0 else f"{line[: end + 1]} return {line[end + 1 :].strip()}"


def transform_body(code: str) -> str:
    """Return the body of the function that a transform stands for: one line is an expression, more lines are a body."""
    return code if "\n" in code else f"return {code}"


def _last_semicolon(line: str) -> int:
    """Return the position of the last semicolon outside quotes, as promptfoo finds it; -1 where there is none."""
    quote, position, last = "", 0, -1
    while position < len(line):
        character = line[position]
        if character == "\\" and quote:
            position += 1
        elif quote:
            quote = "" if character == quote else quote
        elif character in "'\"`":
            quote = character
        elif character == ";":
            last = position
        position += 1
    return last


def check_source(code: str) -> None:
    """Check the size of a source.

    Raises:
        Invalid: for one that is too long.
    """
    if len(code.encode("utf-8", "replace")) > CODE_LIMIT:
        raise Invalid(f"has more than {CODE_LIMIT} bytes of code")


def module_source(file: str, code: str) -> str:
    """Return a file's code as the source of a CommonJS module.

    Raises:
        Invalid: for TypeScript, and for exports of another form than declarations, lists and `export default`.
    """
    suffix = PurePosixPath(file).suffix
    if suffix in TYPESCRIPT_SUFFIXES:
        raise Invalid("is TypeScript, which is not run here: compile it to JavaScript")
    if suffix not in MODULE_SUFFIXES:
        raise Invalid(f"is no file of JavaScript: {', '.join(MODULE_SUFFIXES)}")
    check_source(code)
    exports = [word for word in words_of(code) if word.text == "export" and word.depth == 0]
    if suffix == ".cjs" or (suffix == ".js" and not exports):
        return code
    return _converted(code)


@dataclass(frozen=True)
class _Edit:
    """A part of a source that is replaced."""

    start: int
    end: int
    text: str


def _converted(code: str) -> str:
    """Return an ECMAScript module as a CommonJS module: each `export` becomes a property of `exports`."""
    words = list(words_of(code))
    edits: list[_Edit] = []
    named: list[str] = []
    for place, word in enumerate(words):
        if word.text == "export" and word.depth == 0 and (place == 0 or words[place - 1].text not in (".", "?.")):
            edits.append(_edit(words, place, named))
    parts, position = ['"use strict";'], 0
    for edit in edits:
        parts += [code[position : edit.start], edit.text]
        position = edit.end
    tail = "".join(f"\n;exports[{name!r}] = {local};" for local, _, name in (entry.partition(" ") for entry in named))
    return "".join([*parts, code[position:], tail])


def _edit(words: list[Word], place: int, named: list[str]) -> _Edit:
    """Return the edit of one `export`, and add the names that it exports, each as `local exported`."""
    word, following = words[place], words[place + 1 : place + 2]
    after = [each.text for each in words[place + 1 : place + 6]]
    if after[:1] == ["default"]:
        kind = after[2:3] if after[1:2] == ["async"] else after[1:2]
        name = _declared_name(after[1:])
        if kind in (["function"], ["class"]) and name:
            named.append(f"{name} default")
            return _Edit(word.start, following[0].end, "")
        return _Edit(word.start, following[0].end, "exports.default =")
    if after[:1] == ["{"]:
        end = next((n for n in range(place + 1, len(words)) if words[n].text == "}"), len(words) - 1)
        named += _listed_names([each.text for each in words[place + 2 : end]])
        if "from" in [each.text for each in words[end + 1 : end + 2]]:
            raise Invalid("exports from another file; only the file itself is run, so write what it needs into it")
        return _Edit(word.start, words[end].end, "")
    if after[:1] in (["const"], ["let"], ["var"]) and len(after) > 2 and after[1] not in ("{", "["):
        named.append(f"{after[1]} {after[1]}")
        return _Edit(word.start, word.end, "")
    if name := _declared_name(after):
        named.append(f"{name} {name}")
        return _Edit(word.start, word.end, "")
    raise Invalid("exports in a form that is not known here: write `export default …` or `export const name = …`")


def _declared_name(after: list[str]) -> str:
    """Return the name of a function or class that the words declare; empty where they declare none."""
    words = [text for text in after if text not in ("async", "*")]
    if words[:1] in (["function"], ["class"]) and len(words) > 1 and words[1] not in ("(", "{", "extends"):
        return words[1]
    return ""


def _listed_names(texts: list[str]) -> list[str]:
    """Return the names in `{a, b as c}`, each as `local exported`."""
    entries = [entry.split() for entry in " ".join(texts).split(",") if entry.strip()]
    return [f"{entry[0]} {entry[-1]}" for entry in entries]
