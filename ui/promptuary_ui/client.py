"""The REST API as typed calls. The connection is shared by all sessions; the key belongs to one call."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, ValidationError

from promptuary_ui.wire.base import Page
from promptuary_ui.wire.caller import Caller
from promptuary_ui.wire.prompts import Diff, LabelMove, Prompt, Version
from promptuary_ui.wire.review import Claim, Queue
from promptuary_ui.wire.runs import Distribution, Result, Run, RunComparison, Suite
from promptuary_ui.wire.schedules import Alert, Schedule

T = TypeVar("T", bound=BaseModel)
TIMEOUT = httpx.Timeout(15.0, connect=3.0)
COMPARISON_TIMEOUT = httpx.Timeout(120.0, connect=3.0)
PAGE_SIZE = 200


class ApiError(Exception):
    """A call that did not succeed. `status` is 0 when there was no answer that could be read; `sentence` is for people."""

    def __init__(self, status: int, sentence: str) -> None:
        """Keep both."""
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence

    @property
    def unauthenticated(self) -> bool:
        """Whether the key is no longer taken."""
        return self.status == 401

    @property
    def gone(self) -> bool:
        """Whether the claim is no longer this reviewer's."""
        return self.status in (404, 409)


def connect(url: str) -> httpx.Client:
    """Open the shared connection pool; it carries no key. A redirect is never followed, for the key would go with it."""
    return httpx.Client(base_url=url, timeout=TIMEOUT, headers={"User-Agent": "promptuary-ui"})


@dataclass(frozen=True)
class Api:
    """The API on behalf of one key. Every method raises ApiError with the server's own sentence."""

    http: httpx.Client
    key: str = field(repr=False)

    def whoami(self) -> Caller:
        """Tell who the key belongs to."""
        return self._read(Caller, "GET", "/v1/self")

    def queues(self) -> list[Queue]:
        """List every queue by name."""
        return list(self._all(Queue, "/v1/queues"))

    def queue(self, name: str) -> Queue:
        """Give a queue with its counts."""
        return self._read(Queue, "GET", f"/v1/queues/{_path_segment(name)}")

    def claim(self, queue: str) -> Claim | None:
        """Take the next item, or the one that is held; None when there is nothing to have now."""
        answer = self._call("POST", f"/v1/queues/{_path_segment(queue)}/claims")
        return None if answer.status_code == 204 else _parse_response(Claim, answer)

    def submit(self, claim: str, nonce: str, decision: str, comment: str) -> None:
        """Decide a claimed item."""
        body = {"nonce": nonce, "decision": decision, "comment": comment}
        self._call("POST", f"/v1/claims/{_path_segment(claim)}/submit", json=body)

    def skip(self, claim: str) -> None:
        """Leave an item to others for now."""
        self._call("POST", f"/v1/claims/{_path_segment(claim)}/skip")

    def release(self, claim: str) -> None:
        """Give an item back."""
        self._call("POST", f"/v1/claims/{_path_segment(claim)}/release")

    def heartbeat(self, claim: str) -> None:
        """Hold an item longer."""
        self._call("POST", f"/v1/claims/{_path_segment(claim)}/heartbeat")

    def suites(self) -> list[Suite]:
        """List every suite by name."""
        return list(self._all(Suite, "/v1/suites"))

    def runs(self, limit: int = 50, cursor: str | None = None, **wanted: str | None) -> Page[Run]:
        """List a page of runs, the newest first; `suite`, `state` and `verdict` choose some."""
        return self._page(Run, "/v1/runs", limit, cursor, wanted)

    def run(self, run: str) -> Run:
        """Give a run, with its summary when it is finished."""
        return self._read(Run, "GET", f"/v1/runs/{_path_segment(run)}")

    def cancel(self, run: str) -> None:
        """Stop a run; the results that it has are kept."""
        self._call("POST", f"/v1/runs/{_path_segment(run)}/cancel")

    def results(
        self, run: str, limit: int = 50, cursor: str | None = None, wanted: Mapping[str, str | None] | None = None
    ) -> Page[Result]:
        """List a page of a run's results: all, or those that are wanted, by the API's names of its filters."""
        return self._page(Result, f"/v1/runs/{_path_segment(run)}/results", limit, cursor, wanted or {})

    def distribution(self, run: str, metric: str) -> Distribution:
        """Tell how a metric's values lie in a run."""
        return self._read(Distribution, "GET", f"/v1/runs/{_path_segment(run)}/distribution", params={"metric": metric})

    def compare(self, run: str, baseline: str) -> RunComparison:
        """Compare a finished run with another; it may have very many results, so this may take a while."""
        path = f"/v1/runs/{_path_segment(run)}/compare"
        return self._read(RunComparison, "GET", path, params={"baseline": baseline}, timeout=COMPARISON_TIMEOUT)

    def schedules(self, limit: int = 50, cursor: str | None = None) -> Page[Schedule]:
        """List a page of schedules by name."""
        return self._page(Schedule, "/v1/schedules", limit, cursor, {})

    def pause_schedule(self, name: str) -> None:
        """Submit no more runs of a schedule until it is resumed."""
        self._call("POST", f"/v1/schedules/{_path_segment(name)}/pause")

    def resume_schedule(self, name: str) -> None:
        """Submit runs of a schedule again."""
        self._call("POST", f"/v1/schedules/{_path_segment(name)}/resume")

    def run_schedule(self, name: str) -> None:
        """Queue a run of a schedule now."""
        self._call("POST", f"/v1/schedules/{_path_segment(name)}/now")

    def alerts(self, limit: int = 50, cursor: str | None = None, *, unseen: bool = True) -> Page[Alert]:
        """List a page of alerts, the newest first; `unseen` gives those that nobody has seen."""
        return self._page(Alert, "/v1/alerts", limit, cursor, {"open": "true" if unseen else None})

    def see(self, alert: int) -> None:
        """Say that an alert has been seen."""
        self._call("POST", f"/v1/alerts/{alert}/seen")

    def prompts(self, search: str = "") -> list[Prompt]:
        """List prompts by name: all, or those whose name holds `search`."""
        return list(self._all(Prompt, "/v1/prompts", {"search": search} if search else {}))

    def versions(self, name: str) -> list[Version]:
        """List a prompt's versions, the newest first."""
        return list(self._all(Version, f"/v1/prompts/{_path_segment(name)}/versions"))

    def diff(self, name: str, before: int, after: int) -> Diff:
        """Tell what changed from one version to another."""
        return self._read(
            Diff, "GET", f"/v1/prompts/{_path_segment(name)}/diff", params={"from": str(before), "to": str(after)}
        )

    def history(self, name: str, label: str) -> list[LabelMove]:
        """List a label's moves, the newest first."""
        return list(self._all(LabelMove, f"/v1/prompts/{_path_segment(name)}/labels/{_path_segment(label)}/history"))

    def _all(self, kind: type[T], path: str, params: dict[str, str] | None = None) -> Iterator[T]:
        cursor = None
        while True:
            given = {"limit": str(PAGE_SIZE), **(params or {}), **({"cursor": cursor} if cursor else {})}
            page = self._read(Page[kind], "GET", path, params=given)  # type: ignore[valid-type]  # made at run time
            yield from page.items
            cursor = page.next_cursor
            if cursor is None:
                return

    def _page(self, kind: type[T], path: str, limit: int, cursor: str | None, wanted: Mapping[str, str | None]) -> Page[T]:
        given = {"limit": str(limit), "cursor": cursor, **wanted}
        params = {name: value for name, value in given.items() if value is not None}
        return self._read(Page[kind], "GET", path, params=params)  # type: ignore[valid-type]  # made at run time

    def _read(self, kind: type[T], method: str, path: str, **more: Any) -> T:
        return _parse_response(kind, self._call(method, path, **more))

    def _call(self, method: str, path: str, **more: Any) -> httpx.Response:
        try:
            answer = self.http.request(method, path, headers={"Authorization": f"Bearer {self.key}"}, **more)
        except (httpx.HTTPError, UnicodeEncodeError) as error:
            if isinstance(error, UnicodeEncodeError):
                raise ApiError(401, "the key has characters that no key has; copy it again") from None
            where = self.http.base_url
            raise ApiError(0, f"the API at {where} does not answer; see that `promptuary serve` runs there") from error
        if not answer.is_success:
            raise ApiError(answer.status_code, _error_message(answer))
        return answer


def _path_segment(name: str) -> str:
    return quote(name, safe="")


def _parse_response(kind: type[T], answer: httpx.Response) -> T:
    try:
        return kind.model_validate_json(answer.content)
    except ValidationError as error:
        raise ApiError(0, "the API's answer is not of this release; see that both are of the same version") from error


def _error_message(answer: httpx.Response) -> str:
    """Give the problem's detail and its faults, or the status where the answer is no problem+json."""
    try:
        problem = answer.json()
        field_errors = [f"{fault['path']} {fault['message']}".strip() for fault in problem.get("errors", ())]
        return "; ".join([str(problem["detail"]), *field_errors])
    except (ValueError, KeyError, TypeError, AttributeError):
        return f"the API answered with the status {answer.status_code}"
