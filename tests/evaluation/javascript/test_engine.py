"""The engine of JavaScript, with real child processes: what passes through it, and where it stops a script."""

import asyncio
import math
from collections.abc import Iterator
from typing import Any

import pytest

from promptuary.evaluation.javascript.engine import EngineLimits, JavaScriptEngine
from promptuary.evaluation.javascript.script import JavaScriptFailed, JavaScriptStopped, JavaScriptThrew, Script, ValueType
from promptuary.models.calls import time_limit

pytestmark = pytest.mark.process

PARAMETERS = ("output", "context", "process")


@pytest.fixture(scope="module")
def engine() -> Iterator[JavaScriptEngine]:
    """Start an engine for all tests of this module, with less time than a run and a later deadline."""
    engine = JavaScriptEngine(EngineLimits(seconds=0.2, deadline=120.0), processes=1)
    yield engine
    engine.close()


def run(engine: JavaScriptEngine, body: str, *values: Any, graded: bool = False) -> Any:
    return engine.run(Script(body, PARAMETERS, graded=graded), values)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("undefined", ValueType.UNDEFINED),
        ("null", ValueType.NULL),
        ("true", ValueType.BOOLEAN),
        ("'x'", ValueType.STRING),
        ("[1]", ValueType.ARRAY),
        ("({})", ValueType.OBJECT),
        ("new Number(1)", ValueType.OBJECT),
        ("() => 1", ValueType.FUNCTION),
        ("Symbol('s')", ValueType.SYMBOL),
    ],
)
def test_a_value_comes_back_with_its_type(engine: JavaScriptEngine, code: str, kind: ValueType) -> None:
    assert run(engine, f"return {code}").type is kind


@pytest.mark.parametrize("value", ["", "ü\ud800\U0001f600", 5, -0.5, 1e300, True, None, [1, [2]], {"a": {"b": [None]}}])
def test_a_json_value_passes_unchanged(engine: JavaScriptEngine, value: Any) -> None:
    assert run(engine, "return output", value).value == value


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_numbers_that_are_not_finite_pass(engine: JavaScriptEngine, value: float) -> None:
    assert run(engine, "return Number.isFinite(output)", value).value is False
    returned = run(engine, "return [{n: output}]", value).value[0]["n"]
    assert math.isnan(returned) if math.isnan(value) else returned == value


def test_promises_and_timers_are_awaited_in_their_order(engine: JavaScriptEngine) -> None:
    late = "new Promise(done => { const seen = []; setTimeout(() => done(seen), 50); setTimeout(() => seen.push(2), 9);"
    assert run(engine, f"return {late} Promise.resolve().then(() => seen.push(1)) }})").value == [1, 2]


def test_an_error_that_is_thrown_keeps_its_class_and_message(engine: JavaScriptEngine) -> None:
    with pytest.raises(JavaScriptThrew, match="the JavaScript threw TypeError: own") as raised:
        run(engine, "throw new TypeError('own')")
    assert raised.value.name == "TypeError"
    with pytest.raises(JavaScriptThrew, match="SyntaxError"):
        run(engine, "return (")


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("a loop", "for (;;);"),
        ("a loop that catches", "for (;;) try { for (;;); } catch { continue }"),
        ("a loop in the engine's own code", "return new Array(1e9).join('x').length"),
        ("a sort of nothing", "return [].sort.call({length: 4e9})"),
        ("a catastrophic pattern", "return /(a+)+$/.test('a'.repeat(50) + 'b')"),
        ("much memory in one piece", "return new Uint8Array(2 ** 32 - 1).length"),
        ("a string of 4 GB", "let s = 'a'; for (;;) s += s"),
        ("much memory in many pieces", "const a = []; for (;;) a.push(new Array(1000).fill(1))"),
        ("deep recursion", "return (function f() { return 1 + f() })()"),
        ("deep nesting", "let o = []; for (let i = 0; i < 1e5; i++) o = [o]; return o"),
        ("a chain of promises", "const f = () => Promise.resolve().then(f); return f()"),
        ("a chain of short jobs", "const f = () => queueMicrotask(f); f(); return new Promise(() => {})"),
        ("a chain of timers", "const f = () => setTimeout(f); f(); return new Promise(() => {})"),
        ("a promise that is never settled", "return new Promise(() => {})"),
        ("a large output", "return 'x'.repeat(5e6)"),
        ("a wait", "return Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)"),
        ("a thenable that never answers", "return {then() {}}"),
        ("a getter that loops", "return {get pass() { for (;;); }}"),
        ("a toJSON that loops", "return {toJSON() { for (;;); }}"),
    ],
)
def test_a_hostile_script_is_stopped_and_the_next_one_runs(engine: JavaScriptEngine, name: str, body: str) -> None:
    with pytest.raises(JavaScriptFailed):
        run(engine, body, "x", {}, graded=True)
    assert run(engine, "return output", name).value == name


@pytest.mark.parametrize(
    "body",
    [
        "return fetch('http://127.0.0.1')",
        "return require('fs')",
        "return import('os')",
        "return process.env.HOME",
        "return std.open",
    ],
)
def test_a_script_reaches_nothing_outside(engine: JavaScriptEngine, body: str) -> None:
    with pytest.raises(JavaScriptThrew):
        run(engine, body, "x", {})


def test_a_script_sees_no_part_of_what_runs_it(engine: JavaScriptEngine) -> None:
    own = "console setTimeout clearTimeout".split()
    seen = run(engine, "return Object.getOwnPropertyNames(globalThis)").value
    assert set(own) < set(seen)
    assert "parts" not in seen
    assert not [name for name in seen if name.startswith("_")]


def test_a_script_sees_nothing_of_the_one_before(engine: JavaScriptEngine) -> None:
    run(engine, "globalThis.kept = 1; leaked = 2; Object.prototype.pass = true; JSON.stringify = () => '{}'; return 1")
    assert run(engine, "return [typeof kept, typeof leaked, ({}).pass, JSON.stringify(1)]").value == [
        "undefined",
        "undefined",
        None,
        "1",
    ]


@pytest.mark.parametrize(
    "body",
    [
        "Object.prototype.toJSON = () => 1; return 0.5",
        "JSON.stringify = JSON.parse = () => 'x'; return 0.5",
        "Promise.prototype.then = Promise.resolve = null; return 0.5",
        "Array.isArray = () => true; Number.isFinite = () => false; return 0.5",
        "Array.prototype.includes = String.prototype.slice = null; return 0.5",
    ],
)
def test_changed_prototypes_do_not_change_a_number_on_its_way(engine: JavaScriptEngine, body: str) -> None:
    assert run(engine, body, "x", {}, graded=True).value == 0.5


def test_a_module_is_its_default_export_or_a_function_of_it(engine: JavaScriptEngine) -> None:
    source = "module.exports = (o) => o + '!'; module.exports.twice = (o) => o + o;"
    assert engine.run(Script(source=source), ["a"]).value == "a!"
    assert engine.run(Script(source=source, name="twice"), ["a"]).value == "aa"
    with pytest.raises(JavaScriptThrew, match="no function 'other'"):
        engine.run(Script(source=source, name="other"), ["a"])


def test_a_script_is_parsed_without_being_run(engine: JavaScriptEngine) -> None:
    assert engine.syntax_error(Script("for (;;);")) is None
    assert engine.syntax_error(Script("return (")) is not None


@pytest.mark.parametrize(
    "body",
    [
        "BigInt.prototype.toJSON = () => 1; return 10n",
        "Object.prototype.toJSON = () => 1; throw new Error('x')",
        "let o = []; for (let i = 0; i < 3000; i++) o = [o]; return o",
    ],
)
def test_a_result_that_cannot_be_read_does_not_harm_the_next_script(engine: JavaScriptEngine, body: str) -> None:
    with pytest.raises(JavaScriptStopped, match="cannot be read"):
        run(engine, body)
    assert run(engine, "return 1").value == 1


def test_scripts_run_at_once_for_several_callers() -> None:
    engine = JavaScriptEngine(EngineLimits(deadline=120.0), processes=2)

    async def run_all() -> list[Any]:
        return [
            value.value
            for value in await asyncio.gather(*(engine.call(Script("return n * 2", ("n",)), [n]) for n in range(50)))
        ]

    try:
        assert asyncio.run(run_all()) == [n * 2 for n in range(50)]
    finally:
        engine.close()


def test_a_wait_for_other_scripts_is_no_time_of_the_caller() -> None:
    engine = JavaScriptEngine(EngineLimits(seconds=0.5, deadline=120.0), processes=1)

    async def run_all() -> tuple[Any, ...]:
        async with time_limit(0.25):
            looping = engine.call(Script("for (;;);"))
            return tuple(await asyncio.gather(looping, engine.call(Script("return 1")), return_exceptions=True))

    try:
        stopped, value = asyncio.run(run_all())
    finally:
        engine.close()
    assert isinstance(stopped, JavaScriptStopped)
    assert value.value == 1


def test_a_closed_engine_runs_nothing() -> None:
    engine = JavaScriptEngine()
    engine.close()
    with pytest.raises(JavaScriptStopped, match="closed"):
        engine.run(Script("return 1"))
