"""The other side of `code.Child`: runs a suite's own code, one call a line, in a process that has nothing else of ours.

Started by its path and isolated, so it imports nothing of this program. The first line that comes is `{id, module, function,
code}`, each further one `{id, output, context, seconds}`; each is answered by `{id, value}` or `{id, error}`.
"""

import contextlib
import json
import os
import types
from collections.abc import Callable
from typing import Any

MEMORY = 4 * 1024**3
FILES = 64 * 1024**2
ERROR_LIMIT = 500


def serve() -> None:
    """Answer until the input ends; the code's own output goes nowhere, and it cannot read what is asked."""
    asked = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nothing, number)
    limit_resources()
    function: Callable[..., Any] | None = None
    for line in asked:
        request = json.loads(line)
        answer: dict[str, Any] = {"id": request["id"]}
        try:
            if function is None:
                function = load_function(request["module"], request["function"], request["code"])
                answer["value"] = None
            else:
                limit_cpu_time(request["seconds"])
                answer["value"] = function(request["output"], request["context"])
            said = json.dumps(answer, default=to_json)
        except BaseException as error:
            said = json.dumps({"id": answer["id"], "error": f"{type(error).__name__}: {error}"[:ERROR_LIMIT]})
        answers.write(said.encode("utf-8", "replace") + b"\n")
        answers.flush()


def load_function(module: str, function: str, code: str) -> Callable[..., Any]:
    """Run the code as a module, and give its function."""
    space = types.ModuleType(module)
    exec(compile(code, f"<{module}>", "exec"), space.__dict__)
    found: Callable[..., Any] | None = getattr(space, function, None)
    if not callable(found):
        raise NameError(f"the code has no function '{function}'")
    return found


def to_json(value: Any) -> Any:
    """Give numbers of other libraries, and objects that are dictionaries at heart, as JSON can carry them."""
    for read in ("item", "model_dump", "_asdict"):
        method = getattr(value, read, None)
        if callable(method):
            return method()
    raise TypeError(f"{type(value).__name__} is no bool, number or dictionary")


def limit_resources() -> None:
    """Bound memory and the size of files, where the system can."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        for kind, most in ((resource.RLIMIT_CORE, 0), (resource.RLIMIT_FSIZE, FILES), (resource.RLIMIT_AS, MEMORY)):
            with contextlib.suppress(OSError, ValueError):
                resource.setrlimit(kind, (most, most))


def limit_cpu_time(seconds: float) -> None:
    """Bound the processor's time of one call, so that a loop ends even when whoever asked is gone."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        used = resource.getrusage(resource.RUSAGE_SELF)
        most = int(used.ru_utime + used.ru_stime + seconds) + 2
        resource.setrlimit(resource.RLIMIT_CPU, (most, resource.RLIM_INFINITY))


if __name__ == "__main__":
    serve()
