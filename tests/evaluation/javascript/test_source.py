"""JavaScript as promptfoo reads it: one line, several lines, and files that export functions."""

import pytest

from promptuary.evaluation.javascript.source import assertion_body, module_source, transform_body
from promptuary.prompt.errors import Invalid


@pytest.mark.parametrize(
    ("code", "body"),
    [
        (" output ; ", "return output"),
        ("return output", "return return output"),
        ("a\nreturn b\n\n", "a\nreturn b"),
        ("const a = 1; a === 1;", "const a = 1; return a === 1"),
        ("let s = 'x;y'; s", "let s = 'x;y'; return s"),
        ("const a = 1", "return const a = 1"),
        ("constant > 1", "return constant > 1"),
    ],
)
def test_an_assertion_is_an_expression_or_a_body(code: str, body: str) -> None:
    assert assertion_body(code) == body


def test_a_transform_is_taken_as_it_stands() -> None:
    assert [transform_body(code) for code in ("output;", "return 1\n")] == ["return output;", "return 1\n"]


@pytest.mark.parametrize(
    ("code", "parts"),
    [
        ("export default (o) => o", ["exports.default = (o) => o"]),
        ("export default function f() {}\nf.x = 1", [" function f() {}", "exports['default'] = f;"]),
        ("export const a = 1, b = 2;", [" const a = 1", "exports['a'] = a;"]),
        ("const a = 1;\nexport { a, a as b };", ["exports['a'] = a;", "exports['b'] = a;"]),
        ("export async function g() {}", [" async function g() {}", "exports['g'] = g;"]),
        ("const s = 'export default';\nexport class C {}", ["'export default'", "exports['C'] = C;"]),
    ],
)
def test_exports_become_properties(code: str, parts: list[str]) -> None:
    source = module_source("a.mjs", code)
    assert all(part in source for part in parts), source


def test_a_commonjs_file_stays_as_it_is() -> None:
    assert module_source("a.js", "module.exports = 1") == module_source("a.cjs", "module.exports = 1") == "module.exports = 1"


@pytest.mark.parametrize(
    ("file", "code", "words"),
    [
        ("a.ts", "", "TypeScript"),
        ("a.txt", "", "no file of JavaScript"),
        ("a.mjs", "export * from './b.mjs'", "in a form"),
        ("a.mjs", "export { a } from './b.mjs'", "another file"),
        ("a.mjs", "export const { a } = b", "in a form"),
    ],
)
def test_a_file_that_cannot_be_run_is_refused(file: str, code: str, words: str) -> None:
    with pytest.raises(Invalid, match=words):
        module_source(file, code)
