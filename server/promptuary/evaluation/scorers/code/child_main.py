"""The child's side of `code_process`: runs a suite's own code, one call a line, in a process that has nothing else of ours.

It is started by its path and isolated, so it imports nothing of this program. The first line on standard input is
`{id, module, function, code}`, each further one `{id, output, context, seconds}`. Each is answered on standard output by
`{id, value}` or `{id, error}`.
"""

import contextlib
import json
import os
import types
from collections.abc import Callable
from typing import Any

MEMORY_LIMIT = 4 * 1024**3
FILE_SIZE_LIMIT = 64 * 1024**2
ERROR_LIMIT = 500

Function = Callable[..., Any]


def serve() -> None:
    """Answer requests until the input ends; the code's own output is discarded, and the code cannot read the requests."""
    requests = os.fdopen(os.dup(0), "rb")
    responses = os.fdopen(os.dup(1), "wb")
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    limit_resources()
    function: Function | None = None
    for line in requests:
        request = json.loads(line)
        try:
            value = None
            if function is None:
                function = load_function(request["module"], request["function"], request["code"])
            else:
                limit_cpu_time(request["seconds"])
                value = function(request["output"], request["context"])
            response = json.dumps({"id": request["id"], "value": value}, default=to_json)
        except BaseException as error:
            response = json.dumps({"id": request["id"], "error": f"{type(error).__name__}: {error}"[:ERROR_LIMIT]})
        responses.write(response.encode("utf-8", "replace") + b"\n")
        responses.flush()


def load_function(module: str, function: str, code: str) -> Function:
    """Run the code as a module, and return its function."""
    namespace = types.ModuleType(module)
    exec(compile(code, f"<{module}>", "exec"), namespace.__dict__)
    loaded: Function | None = getattr(namespace, function, None)
    if not callable(loaded):
        raise NameError(f"the code has no function '{function}'")
    return loaded


def to_json(value: Any) -> Any:
    """Convert a number of another library, or an object that is like a dictionary, to JSON's types."""
    for name in ("item", "model_dump", "_asdict"):
        convert = getattr(value, name, None)
        if callable(convert):
            return convert()
    raise TypeError(f"{type(value).__name__} is no bool, number or dictionary")


def limit_resources() -> None:
    """Limit memory and the size of files, where the system can."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        limits = ((resource.RLIMIT_CORE, 0), (resource.RLIMIT_FSIZE, FILE_SIZE_LIMIT), (resource.RLIMIT_AS, MEMORY_LIMIT))
        for limit, value in limits:
            with contextlib.suppress(OSError, ValueError):
                resource.setrlimit(limit, (value, value))


def limit_cpu_time(seconds: float) -> None:
    """Limit the processor time of one call, so that a loop ends even when the parent is gone."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        used = resource.getrusage(resource.RUSAGE_SELF)
        limit = int(used.ru_utime + used.ru_stime + seconds) + 2
        resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.RLIM_INFINITY))


if __name__ == "__main__":
    serve()
