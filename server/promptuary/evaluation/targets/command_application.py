"""The application that is a command: promptfoo's `exec`, for runs of the command line only. No shell is involved."""

import asyncio
import json
import time
from asyncio.subprocess import DEVNULL, PIPE
from dataclasses import dataclass

from promptuary.evaluation.child_process import kill_group
from promptuary.evaluation.plan import ApplicationDetail
from promptuary.evaluation.targets.application import ApplicationOutput, ApplicationQuestion
from promptuary.evaluation.targets.errors import ApplicationFailed, ApplicationUnusable

OUTPUT_LIMIT = 4 * 1024 * 1024
ERROR_LIMIT = 300


@dataclass(frozen=True)
class CommandApplication:
    """A command that gets the question as its last arguments and writes the output; implements `Application`.

    As in promptfoo, the prompt, the options and the context follow the command's own arguments. Without a prompt, the first of
    them is the case's variables as JSON.

    Attributes:
        command: with its own arguments.
        folder: where it is run; None for the folder of this process.
    """

    command: tuple[str, ...]
    folder: str | None = None

    async def ask(self, question: ApplicationQuestion, detail: ApplicationDetail) -> ApplicationOutput:
        """Run the command, and return what it wrote.

        Raises:
            ApplicationUnusable: for a command that is not there.
            ApplicationFailed: for another exit code than 0, or an output that is too large.
        """
        name = " ".join(self.command)
        detail["address"] = name
        variables = json.dumps(question.case.vars, ensure_ascii=False)
        prompt = variables if question.prompt is None else question.prompt
        arguments = [prompt, json.dumps({"config": {}}), json.dumps({"vars": dict(question.case.vars)}, ensure_ascii=False)]
        started = time.monotonic()
        try:
            process = await asyncio.create_subprocess_exec(
                *self.command,
                *(argument.replace("\0", "") for argument in arguments),
                stdin=DEVNULL,
                stdout=PIPE,
                stderr=PIPE,
                cwd=self.folder,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            raise ApplicationUnusable(f"the command '{name}' cannot be run: {error}") from None
        try:
            output, errors = await process.communicate()
        finally:
            if process.returncode is None:
                kill_group(process)
                await process.wait()
        if process.returncode != 0:
            text = " ".join(errors.decode("utf-8", "replace").split())[:ERROR_LIMIT]
            raise ApplicationFailed(
                f"the command '{name}' ended with code {process.returncode}" + (f": {text}" if text else "")
            )
        if len(output) > OUTPUT_LIMIT:
            raise ApplicationFailed(f"the command '{name}' wrote more than {OUTPUT_LIMIT} bytes")
        return ApplicationOutput(output.decode("utf-8", "replace").strip(), (time.monotonic() - started) * 1000)

    async def close(self) -> None:
        """Release nothing: each command ends with its answer."""
