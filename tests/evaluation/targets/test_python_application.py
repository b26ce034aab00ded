"""An application that is a Python function: in its own process, with named variables only, sync or async."""

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from promptuary.core.allowed_hosts import AllowedHosts
from promptuary.evaluation.applications.spec import TargetSpec
from promptuary.evaluation.case import Case
from promptuary.evaluation.plan import ApplicationDetail
from promptuary.evaluation.targets.application import ApplicationOutput, ApplicationQuestion
from promptuary.evaluation.targets.errors import ApplicationFailed, ApplicationUnusable
from promptuary.evaluation.targets.permissions import TargetPermissions
from promptuary.evaluation.targets.python.python_application import PythonApplication

PERMISSIONS = TargetPermissions(AllowedHosts(None), variables=None, code=True)
BATCH = 8


def application(code: str, folders: tuple[str, ...] = (), **spec: Any) -> PythonApplication:
    function = {"file": "app.py", "function": "answer", "code": code}
    target = TargetSpec.model_validate({"python": {"function": function, **spec}})
    permissions = TargetPermissions(AllowedHosts(None), variables=None, code=True, code_folders=folders)
    return PythonApplication.build(target, permissions, concurrency=BATCH)


def ask(built: PythonApplication, *questions: str, prompt: str | None = None) -> list[Any]:
    async def ask_once(text: str) -> Any:
        question = ApplicationQuestion(Case("c1", {"q": text}, expected="secret"), {"q": text}, prompt, 0)
        try:
            return await built.ask(question, DETAIL)
        except Exception as error:
            return error

    async def run() -> list[Any]:
        try:
            return list(await asyncio.gather(*(ask_once(text) for text in questions or ("hi",))))
        finally:
            await built.close()

    DETAIL.clear()
    return asyncio.run(run())


DETAIL: ApplicationDetail = {}


def output(built: PythonApplication, **options: Any) -> ApplicationOutput:
    (answer,) = ask(built, **options)
    assert isinstance(answer, ApplicationOutput), answer
    return answer


def test_a_function_gets_the_variables_and_a_context_without_the_expectation() -> None:
    answer = output(application("def answer(vars, context):\n    return [vars, context]", config={"k": 1}))
    assert answer.value == [{"q": "hi"}, {"case": "c1", "prompt": None, "repeat": 0, "config": {"k": 1}}]


def test_a_function_may_take_the_variables_alone() -> None:
    assert output(application("def answer(vars):\n    return vars['q'].upper()")).value == "HI"


def test_figures_and_the_version_are_taken_from_an_object_with_an_output() -> None:
    code = "def answer(vars):\n    return {'output': 'x', 'version': '7', 'cost': 0.5, 'tokens': {'input': 3, 'output': 4}}"
    answer = output(application(code))
    assert (answer.value, answer.cost, answer.tokens) == ("x", 0.5, {"input": 3, "output": 4})
    assert DETAIL == {"address": "app.py:answer", "version": "7"}


def test_calls_of_an_async_function_run_at_the_same_time_in_one_process() -> None:
    code = (
        "import asyncio, os\n"
        "waiting, all_here = [], asyncio.Event()\n"
        "async def answer(vars):\n"
        "    waiting.append(1)\n"
        f"    if len(waiting) == {BATCH}:\n        all_here.set()\n"
        "    await all_here.wait()\n"
        "    return os.getpid()\n"
    )
    outputs = ask(application(code), *map(str, range(BATCH)))
    assert len({answer.value for answer in outputs}) == 1


def test_a_sync_function_runs_in_as_many_processes_as_the_suite_states(tmp_path: Path) -> None:
    code = (
        "import os, pathlib, time\n"
        f"folder = pathlib.Path({str(tmp_path)!r})\n"
        "def answer(vars):\n"
        "    (folder / str(os.getpid())).touch()\n"
        "    while len(list(folder.iterdir())) < 2:\n        time.sleep(0.01)\n"
        "    return os.getpid()\n"
    )
    outputs = ask(application(code, workers=2), *map(str, range(BATCH)))
    assert len({answer.value for answer in outputs}) == 2


def test_the_process_gets_the_named_variables_and_no_result_has_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APP_KEY", "sk-12345")
    monkeypatch.setenv("OTHER_KEY", "sk-67890")
    monkeypatch.setenv("PROMPTUARY_DATABASE_URL", "postgresql://secret")
    code = "import os\ndef answer(vars):\n    return [len(os.environ.get('APP_KEY', '')), dict(os.environ)]"
    length, environment = output(application(code, env=["APP_KEY"])).value
    assert (length, environment["APP_KEY"]) == (8, "***")
    assert not {"OTHER_KEY", "PROMPTUARY_DATABASE_URL"} & environment.keys()
    _, every = output(application(code, env=["*"])).value
    assert every["OTHER_KEY"] == "***"
    assert "PROMPTUARY_DATABASE_URL" not in every


def test_modules_beside_the_suite_are_found(tmp_path: Path) -> None:
    (tmp_path / "words.py").write_text("def up(text):\n    return text.upper()\n")
    code = "import words\ndef answer(vars):\n    return words.up(vars['q'])"
    assert output(application(code, (str(tmp_path),))).value == "HI"
    target = TargetSpec.model_validate({"python": "words:up"})
    permissions = TargetPermissions(AllowedHosts(None), code=True, code_folders=(str(tmp_path),))
    (error,) = ask(PythonApplication.build(target, permissions, 1))
    assert str(error).startswith("words:up raised AttributeError: 'dict' object")


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("def answer(vars):\n    raise ValueError('own')", "app.py:answer raised ValueError: own"),
        ("def answer(vars):\n    return {'error': 'no model'}", "no model"),
        ("def answer(vars):\n    return None", "app.py:answer returned nothing"),
        ("def answer(vars):\n    return object()", "app.py:answer raised TypeError: object is no text"),
        ("import os\ndef answer(vars):\n    os._exit(3)", "the process of app.py:answer ended"),
    ],
)
def test_a_function_that_fails_is_an_error_of_that_case(code: str, expected: str) -> None:
    (error,) = ask(application(code))
    assert isinstance(error, ApplicationFailed)
    assert str(error).startswith(expected)


def test_a_process_that_ended_is_started_again_for_the_next_case() -> None:
    code = "import os\ndef answer(vars):\n    if vars['q'] == 'die':\n        os._exit(1)\n    return 'ok'"
    outputs = ask(application(code, workers=1), "die", "a", "b")
    assert [answer.value for answer in outputs[1:]] == ["ok", "ok"]
    assert isinstance(outputs[0], ApplicationFailed)


def test_code_that_cannot_be_loaded_is_reported_once_and_not_started_again(tmp_path: Path) -> None:
    code = f"import pathlib\npathlib.Path({str(tmp_path)!r}, 'starts').open('a').write('x')\nimport no_such_module"
    errors = ask(application(code, workers=1), "a", "b", "c")
    assert {str(error) for error in errors} == {str(errors[0])}
    assert all(isinstance(error, ApplicationUnusable) for error in errors)
    assert "cannot be loaded: app.py:answer raised ModuleNotFoundError: No module named 'no_such_module'" in str(errors[0])
    assert (tmp_path / "starts").read_text() == "x"


def test_a_call_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    code = "import time\ndef answer(vars):\n    time.sleep(3600)"
    (error,) = ask(application(code, timeout=0.5))
    assert str(error) == "app.py:answer did not answer within 0.5 seconds"


def test_a_cancelled_call_leaves_no_process(tmp_path: Path) -> None:
    code = (
        f"import os, pathlib, time\ndef answer(vars):\n"
        f"    pathlib.Path({str(tmp_path)!r}, 'pid').write_text(str(os.getpid()))\n    time.sleep(3600)"
    )
    built = application(code)

    async def run() -> int:
        question = ApplicationQuestion(Case("c1", {}), {}, None, 0)
        task = asyncio.create_task(built.ask(question, {}))
        pid = tmp_path / "pid"
        while not (pid.exists() and pid.read_text()):
            await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await built.close()
        return int(pid.read_text())

    pid = asyncio.run(run())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_what_the_function_prints_is_no_answer() -> None:
    assert output(application("def answer(vars):\n    print('{\"id\": 2, \"value\": 1}')\n    return 'real'")).value == "real"


def test_promptfoos_functions_are_called_as_there() -> None:
    code = "def answer(prompt, options, context):\n    return {'output': [prompt, options['config'], context['vars']]}"
    built = application(code, semantics="promptfoo", config={"tail": "!"})
    assert output(built, prompt="say hi").value == ["say hi", {"tail": "!"}, {"q": "hi"}]
    (error,) = ask(application("def answer(p, o, c):\n    return p", semantics="promptfoo"), prompt="x")
    assert str(error) == "app.py:answer must return an object that has `output` or `error`"
