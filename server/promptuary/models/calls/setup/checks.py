"""Whether the set-up of each model works: an error of one case must not end a run, and one of all cases must."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable

from promptuary.models.calls.request import ModelRequest
from promptuary.models.calls.retries import error_chain, http_status
from promptuary.models.calls.setup.errors import SetupFailed, setup_problem

_KEY_REFUSED = 401


class SetupChecks:
    """The state of the models of one client, for the tasks of one event loop; a model is known by its binding."""

    def __init__(self) -> None:
        """Start with no model known."""
        self._working: set[str] = set()
        self._problems: dict[str, str] = {}
        self._probing: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    def works(self, binding: str) -> None:
        """Record that a call succeeded."""
        self._working.add(binding)

    async def check(self, binding: str, request: ModelRequest, error: Exception, probe: Callable[[], Awaitable[None]]) -> None:
        """Check whether an error of a call is one that every call would have.

        A refused key can be revoked at any time. The other problems are only looked for until a call has succeeded: some
        providers answer 403 or an empty completion to a single input that they filter.

        Args:
            binding: of the model.
            request: names the model.
            error: of a call.
            probe: makes a call that any model answers.

        Raises:
            SetupFailed: where the probe has such an error, too.
        """
        problem = setup_problem(request, error)
        if problem is None or self._is_of_one_case(binding, error):
            return
        async with self._probing[binding]:
            if binding in self._problems:
                raise SetupFailed(self._problems[binding])
            if self._is_of_one_case(binding, error):
                return
            try:
                await probe()
            except Exception as probe_error:
                if setup_problem(request, probe_error) is None:
                    return
                self._problems[binding] = problem
                raise SetupFailed(problem) from error
            self.works(binding)

    def _is_of_one_case(self, binding: str, error: Exception) -> bool:
        refused = any(http_status(cause) == _KEY_REFUSED for cause in error_chain(error))
        return binding in self._working and not refused
