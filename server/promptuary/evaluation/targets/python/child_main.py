"""The child's side of `function_process`: calls one function for many requests, in a process that has nothing else of ours.

It is started by its path and imports nothing of this program. The first line on standard input is `{id, file, module, function,
code, folders}`; it is answered by `{id, value: {concurrent}}`, which states whether calls may overlap. Each further line is
`{id, arguments}`, answered by `{id, value}` or `{id, error}`. The function's own output is discarded.
"""

import asyncio
import importlib
import inspect
import json
import os
import sys
import threading
import types
from collections.abc import Callable
from typing import Any

ERROR_LIMIT = 500
VALUE_LIMIT = 4 * 1024 * 1024

Function = Callable[..., Any]
_writing = threading.Lock()


def serve() -> None:
    """Answer requests until the input ends; the code cannot read the requests."""
    requests = os.fdopen(os.dup(0), "rb")
    responses = os.fdopen(os.dup(1), "wb")
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1):
        os.dup2(null, descriptor)
    first = json.loads(requests.readline())
    try:
        function = load_function(first)
    except BaseException as error:
        respond(responses, first["id"], error=error)
        return
    concurrent = inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(getattr(function, "__call__", None))  # noqa: B004  # it is not tested whether it can be called
    respond(responses, first["id"], value={"concurrent": concurrent})
    if concurrent:
        asyncio.run(serve_concurrently(function, requests, responses))
        return
    for line in requests:
        request = json.loads(line)
        try:
            value = call(function, request["arguments"])
            if inspect.isawaitable(value):
                value = asyncio.run(finish(value))
            respond(responses, request["id"], value=value)
        except BaseException as error:
            respond(responses, request["id"], error=error)


async def serve_concurrently(function: Function, requests: Any, responses: Any) -> None:
    """Answer requests at the same time, each as soon as it is done."""
    loop = asyncio.get_running_loop()
    pending: set[asyncio.Task[None]] = set()

    async def answer(request: Any) -> None:
        try:
            respond(responses, request["id"], value=await call(function, request["arguments"]))
        except Exception as error:
            respond(responses, request["id"], error=error)

    while line := await loop.run_in_executor(None, requests.readline):
        task = loop.create_task(answer(json.loads(line)))
        pending.add(task)
        task.add_done_callback(pending.discard)
    for task in pending:
        task.cancel()


async def finish(value: Any) -> Any:
    """Return the result of an awaitable."""
    return await value


def call(function: Function, arguments: list[Any]) -> Any:
    """Call the function with as many of the arguments as it takes."""
    try:
        inspect.signature(function).bind(*arguments)
    except TypeError:
        return function(*arguments[:1])
    except ValueError:
        pass
    return function(*arguments)


def load_function(request: Any) -> Function:
    """Run the code as a module, or import the module, and return its function."""
    sys.path[:0] = [folder for folder in request["folders"] if folder not in sys.path]
    if request["module"]:
        module: Any = importlib.import_module(request["module"])
    else:
        name = os.path.splitext(os.path.basename(request["file"]))[0]
        module = types.ModuleType(name)
        module.__file__ = request["file"]
        sys.modules.setdefault(name, module)  # dataclasses and pickle look the module up
        exec(compile(request["code"], request["file"], "exec"), module.__dict__)
    function: Any = module
    for part in request["function"].split("."):
        function = getattr(function, part, None)
    if not callable(function):
        raise NameError(f"{request['module'] or request['file']} has no function '{request['function']}'")
    loaded: Function = function
    return loaded


def respond(responses: Any, number: int, *, value: Any = None, error: BaseException | None = None) -> None:
    """Write the response to a request in one line."""
    if error is None:
        try:
            text = json.dumps({"id": number, "value": value}, default=to_json, allow_nan=False)
            if len(text) > VALUE_LIMIT:
                raise ValueError(f"the answer has more than {VALUE_LIMIT} characters")
        except Exception as refused:
            error = refused
    if error is not None:
        text = json.dumps({"id": number, "error": f"{type(error).__name__}: {error}"[:ERROR_LIMIT]})
    with _writing:
        responses.write(text.encode("utf-8", "replace") + b"\n")
        responses.flush()


def to_json(value: Any) -> Any:
    """Convert a number of another library, or an object that is like a dictionary, to JSON's types."""
    for name in ("item", "model_dump", "_asdict"):
        convert = getattr(value, name, None)
        if callable(convert):
            return convert()
    raise TypeError(f"{type(value).__name__} is no text, number, list or dictionary")


if __name__ == "__main__":
    serve()
