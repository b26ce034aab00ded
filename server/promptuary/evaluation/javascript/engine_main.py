"""The child's side of `javascript.engine`: runs JavaScript, one request a line, each in a context of its own.

It is started by its path and isolated, so it imports nothing of this program. A request is
`{id, seconds, memory, parameters, body, source, name, values, tagged, graded, check}`; it is answered by `{id, answer}`, where
`answer` is the JSON text that `prelude.js` describes. The engine has no input or output of its own, and none is added here.
"""

import contextlib
import json
import os
import time
from pathlib import Path
from typing import Any

import quickjs

STACK_LIMIT = 1024 * 1024
MEMORY_LIMIT = 1024**3
"""Of the process: the interpreter, the engine and one context with its limit."""
EXTRA_CPU_SECONDS = 1
"""What one call may take beyond its limit: loops inside the engine's own functions do not look at the limit."""
PENDING = {"state": "limit", "name": "", "message": "its promise is never settled"}
TOO_LONG = {"state": "limit", "name": "", "message": "it takes more than {seconds:g} seconds of processor time"}
TOO_LARGE = {"state": "limit", "name": "", "message": "it takes more than {megabytes:g} MiB of memory"}


def serve() -> None:
    """Answer requests until the input ends."""
    requests = os.fdopen(os.dup(0), "rb")
    responses = os.fdopen(os.dup(1), "wb")
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    prelude = Path(__file__).with_name("prelude.js").read_text(encoding="utf-8")
    limit_resources()
    for line in requests:
        text = line.decode("ascii")
        request = json.loads(text)
        seconds, memory = request["seconds"], request["memory"]
        limit_cpu_time(seconds)
        response = {"id": request["id"], "answer": evaluate(prelude, text, seconds, memory)}
        responses.write(json.dumps(response).encode() + b"\n")
        responses.flush()


def evaluate(prelude: str, text: str, seconds: float, memory: int) -> str:
    """Run one request in a context that is made, used and dropped here, within one deadline over all its jobs."""
    too_long = json.dumps(TOO_LONG).replace("{seconds:g}", f"{seconds:g}")
    too_large = json.dumps(TOO_LARGE).replace("{megabytes:g}", f"{memory / 1024**2:g}")
    deadline = time.process_time() + seconds
    context = quickjs.Context()
    context.set_memory_limit(memory)
    context.set_max_stack_size(STACK_LIMIT)
    context.set_time_limit(seconds)
    try:
        run = context.eval(prelude)
        start, following, answer = parts_of(run, context)
        start(text)
        while (settled := answer()) is None:
            remaining = deadline - time.process_time()
            if remaining <= 0:
                return too_long
            context.set_time_limit(remaining)
            if not context.execute_pending_job() and not following():
                return json.dumps(PENDING)
    except quickjs.StackOverflow:
        return json.dumps({"state": "limit", "name": "", "message": "it calls itself too deeply"})
    except quickjs.JSException as error:
        return too_long if "interrupted" in str(error) else too_large
    except MemoryError:
        return too_large
    return str(settled)


def parts_of(run: Any, context: Any) -> tuple[Any, Any, Any]:
    """Return the functions of the object that the prelude returns; the script sees none of them."""
    context.set("parts", run)
    start, following, answer = (context.eval(f"parts.{name}") for name in ("start", "next", "answer"))
    context.eval("delete globalThis.parts")
    return start, following, answer


def limit_resources() -> None:
    """Limit memory, files and processes, where the system can."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        limits = (
            (resource.RLIMIT_CORE, 0),
            (resource.RLIMIT_FSIZE, 0),
            (resource.RLIMIT_NPROC, 0),
            (resource.RLIMIT_AS, MEMORY_LIMIT),
        )
        for limit, value in limits:
            with contextlib.suppress(OSError, ValueError):
                resource.setrlimit(limit, (value, value))


def limit_cpu_time(seconds: float) -> None:
    """Limit the processor time of one call by the system, which ends the process whatever it is doing."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        limit = int(time.process_time() + seconds) + 1 + EXTRA_CPU_SECONDS
        resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.RLIM_INFINITY))


if __name__ == "__main__":
    serve()
