"""A typed client of the REST API. All sessions share the connection pool; each call carries its own key."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, ValidationError

from promptuary_ui.wire.agreement import Agreement, Disagreement
from promptuary_ui.wire.base import Page
from promptuary_ui.wire.caller import Caller
from promptuary_ui.wire.deliveries import ParkedMessage
from promptuary_ui.wire.judges import Calibration, Corrections, Judge
from promptuary_ui.wire.preferences import PositionBias, Ranking
from promptuary_ui.wire.prompts import Diff, LabelMove, LabelRemoval, Prompt, Version
from promptuary_ui.wire.review import AddedItems, Dataset, OutputCorrection, Queue
from promptuary_ui.wire.runs import Distribution, Result, Run, RunComparison, Suite
from promptuary_ui.wire.schedules import Alert, Schedule
from promptuary_ui.wire.sessions import Authorization, OpenedSession, Provider, Session
from promptuary_ui.wire.traffic import SampledCall, Traffic, VersionComparison

T = TypeVar("T", bound=BaseModel)
TIMEOUT = httpx.Timeout(15.0, connect=3.0)
COMPARISON_TIMEOUT = httpx.Timeout(120.0, connect=3.0)
PAGE_SIZE = 200


class ApiError(Exception):
    """A failed call. `status` is the HTTP status, or 0 without a readable response; `message` is the text for people."""

    def __init__(self, status: int, message: str) -> None:
        """Store the status and the message."""
        super().__init__(message)
        self.status = status
        self.message = message

    @property
    def unauthenticated(self) -> bool:
        """Whether the API does not accept the key."""
        return self.status == 401

    @property
    def sentence(self) -> str:
        """The message as a sentence, with a capital letter and a full stop."""
        text = self.message[:1].upper() + self.message[1:]
        return text if text.endswith((".", "!", "?")) else text + "."


def connect(url: str) -> httpx.Client:
    """Open the shared connection pool without a key. It follows no redirect, which would send the key to another server."""
    return httpx.Client(base_url=url, timeout=TIMEOUT, headers={"User-Agent": "promptuary-ui"})


@dataclass(frozen=True)
class Api:
    """The API on behalf of one credential. Every method raises ApiError with the server's message.

    Attributes:
        http: the shared connections.
        key: a session's token; a key or a one-time code where it opens a session.
        headers: more headers for every request.
    """

    http: httpx.Client
    key: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)

    def whoami(self) -> Caller:
        """Return the caller to whom the key or session belongs."""
        return self._read(Caller, "GET", "/v1/self")

    def open_session(self) -> OpenedSession:
        """Open a session with the key or the one-time code."""
        return self._read(OpenedSession, "POST", "/v1/sessions")

    def provider_name(self) -> str | None:
        """Return the name of the identity provider; None where none is set up."""
        return self._read(Provider, "GET", "/v1/oidc").name

    def authorize(self, state: str, nonce: str, challenge: str) -> Authorization:
        """Return the address at which a person signs in with the identity provider."""
        body = {"state": state, "nonce": nonce, "code_challenge": challenge}
        return self._read(Authorization, "POST", "/v1/oidc/authorizations", json=body)

    def open_provider_session(self, code: str, verifier: str, nonce: str) -> OpenedSession:
        """Open the session of a person whom the identity provider sent back."""
        body = {"code": code, "code_verifier": verifier, "nonce": nonce}
        return self._read(OpenedSession, "POST", "/v1/oidc/sessions", json=body)

    def sessions(self) -> list[Session]:
        """List the caller's own sessions that have not ended."""
        return list(self._all(Session, "/v1/sessions"))

    def end_session(self, session: str) -> None:
        """End one of the caller's own sessions at once."""
        self._call("DELETE", f"/v1/sessions/{_path_segment(session)}")

    def end_sessions(self) -> None:
        """End all of the caller's own sessions at once."""
        self._call("DELETE", "/v1/sessions")

    def release_claims(self) -> None:
        """Release the caller's live claims in all queues, so that others get the items at once."""
        self._call("POST", "/v1/claims/release")

    def queues(self) -> list[Queue]:
        """List every queue by name."""
        return list(self._all(Queue, "/v1/queues"))

    def queue(self, name: str) -> Queue:
        """Return a queue with its counts."""
        return self._read(Queue, "GET", f"/v1/queues/{_path_segment(name)}")

    def create_queue(self, name: str, instructions: str) -> None:
        """Create a queue with the API's own decisions."""
        self._call("PUT", f"/v1/queues/{_path_segment(name)}", json={"instructions": instructions})

    def set_judge(self, queue: str, judge: Mapping[str, Any]) -> None:
        """Declare which judge a queue's labels measure; everything else of the queue stays. The body is the API's."""
        self._call("PUT", f"/v1/queues/{_path_segment(queue)}", json={"judge": dict(judge)})

    def fill_queue(self, name: str, body: Mapping[str, Any]) -> AddedItems:
        """Add a run's results to a queue; the body is the API's. With very many results this may take minutes."""
        path = f"/v1/queues/{_path_segment(name)}/items"
        return self._read(AddedItems, "POST", path, json=dict(body), timeout=COMPARISON_TIMEOUT)

    def export(self, queue: str, file_format: str) -> bytes:
        """Return all decisions of a queue as a file; the formats are the API's, such as `csv`."""
        path = f"/v1/queues/{_path_segment(queue)}/export"
        return self._call("GET", path, params={"format": file_format}, timeout=COMPARISON_TIMEOUT).content

    def output_corrections(self, queue: str, limit: int = 50, cursor: str | None = None) -> Page[OutputCorrection]:
        """List a page of the outputs that a queue's reviewers have edited."""
        return self._page(OutputCorrection, f"/v1/queues/{_path_segment(queue)}/corrections", limit, cursor, {})

    def accept_gold(self, dataset: str, decisions: Sequence[int], reason: str) -> Dataset:
        """Accept the corrections of decisions into a dataset; return its version that has them."""
        body = {"decisions": list(decisions), "reason": reason}
        return self._read(Dataset, "POST", f"/v1/datasets/{_path_segment(dataset)}/gold", json=body)

    def datasets(self) -> list[Dataset]:
        """List every dataset by name."""
        return list(self._all(Dataset, "/v1/datasets"))

    def agreement(self, queue: str) -> Agreement:
        """Return how far the reviewers of a queue agree; with very many items this may take longer than other calls."""
        return self._read(Agreement, "GET", f"/v1/queues/{_path_segment(queue)}/agreement", timeout=COMPARISON_TIMEOUT)

    def ranking(self, queue: str, field: str) -> Ranking:
        """Return the strengths of a queue's variants by one of its preferences."""
        path = f"/v1/queues/{_path_segment(queue)}/ranking"
        return self._read(Ranking, "GET", path, params={"field": field}, timeout=COMPARISON_TIMEOUT)

    def position_bias(self, queue: str, field: str) -> PositionBias:
        """Return how often the left side was preferred in a queue of pairs."""
        path = f"/v1/queues/{_path_segment(queue)}/position-bias"
        return self._read(PositionBias, "GET", path, params={"field": field}, timeout=COMPARISON_TIMEOUT)

    def disagreements(self, queue: str, state: str, limit: int = 50, cursor: str | None = None) -> Page[Disagreement]:
        """List a page of the items on which reviewers disagree; `state` is `open`, `adjudicated` or `all`."""
        path = f"/v1/queues/{_path_segment(queue)}/disagreements"
        return self._page(Disagreement, path, limit, cursor, {"state": state})

    def adjudicate(self, queue: str, body: Mapping[str, Any]) -> None:
        """Settle labels of an item; the body is the API's."""
        self._call("POST", f"/v1/queues/{_path_segment(queue)}/adjudications", json=dict(body))

    def suites(self) -> list[Suite]:
        """List every suite by name."""
        return list(self._all(Suite, "/v1/suites"))

    def runs(self, limit: int = 50, cursor: str | None = None, **filters: str | None) -> Page[Run]:
        """List a page of runs, the newest first; the filters are `suite`, `state` and `verdict`."""
        return self._page(Run, "/v1/runs", limit, cursor, filters)

    def run(self, run: str) -> Run:
        """Return a run, with its summary when it is finished."""
        return self._read(Run, "GET", f"/v1/runs/{_path_segment(run)}")

    def cancel(self, run: str) -> None:
        """Cancel a run; its results so far are kept."""
        self._call("POST", f"/v1/runs/{_path_segment(run)}/cancel")

    def results(
        self, run: str, limit: int = 50, cursor: str | None = None, filters: Mapping[str, str | None] | None = None
    ) -> Page[Result]:
        """List a page of a run's results; the filters have the names of the API's parameters."""
        return self._page(Result, f"/v1/runs/{_path_segment(run)}/results", limit, cursor, filters or {})

    def distribution(self, run: str, metric: str) -> Distribution:
        """Return the distribution of a metric's values in a run."""
        return self._read(Distribution, "GET", f"/v1/runs/{_path_segment(run)}/distribution", params={"metric": metric})

    def corrections(self, run: str) -> Corrections:
        """Return a finished run's judged figures beside those that labels of people correct."""
        return self._read(Corrections, "GET", f"/v1/runs/{_path_segment(run)}/corrections")

    def judges(self, limit: int = 50, cursor: str | None = None) -> Page[Judge]:
        """List a page of the judges of metrics, by metric."""
        return self._page(Judge, "/v1/judges", limit, cursor, {})

    def calibration(self, digest: str) -> Calibration:
        """Return a judge compared with people; with very many labels this may take longer than other calls."""
        path = f"/v1/judges/{_path_segment(digest)}/calibration"
        return self._read(Calibration, "GET", path, timeout=COMPARISON_TIMEOUT)

    def compare(self, run: str, baseline: str) -> RunComparison:
        """Compare a finished run with another; with very many results this may take minutes."""
        path = f"/v1/runs/{_path_segment(run)}/compare"
        return self._read(RunComparison, "GET", path, params={"baseline": baseline}, timeout=COMPARISON_TIMEOUT)

    def schedules(self, limit: int = 50, cursor: str | None = None) -> Page[Schedule]:
        """List a page of schedules by name."""
        return self._page(Schedule, "/v1/schedules", limit, cursor, {})

    def pause_schedule(self, name: str) -> None:
        """Pause a schedule: it submits no run until it is resumed."""
        self._call("POST", f"/v1/schedules/{_path_segment(name)}/pause")

    def resume_schedule(self, name: str) -> None:
        """Resume a paused schedule."""
        self._call("POST", f"/v1/schedules/{_path_segment(name)}/resume")

    def run_schedule(self, name: str) -> None:
        """Queue a run of a schedule now."""
        self._call("POST", f"/v1/schedules/{_path_segment(name)}/now")

    def alerts(self, limit: int = 50, cursor: str | None = None, *, unseen: bool = True) -> Page[Alert]:
        """List a page of alerts, the newest first; `unseen` selects those that nobody has marked as seen."""
        return self._page(Alert, "/v1/alerts", limit, cursor, {"open": "true" if unseen else None})

    def mark_alert_seen(self, alert: int) -> None:
        """Mark an alert as seen."""
        self._call("POST", f"/v1/alerts/{alert}/seen")

    def parked_messages(self, limit: int = 50, cursor: str | None = None) -> Page[ParkedMessage]:
        """List a page of the messages that could not be delivered."""
        return self._page(ParkedMessage, "/v1/outbox/parked", limit, cursor, {})

    def retry_message(self, message: int) -> None:
        """Make a parked message due again."""
        self._call("POST", f"/v1/outbox/parked/{message}/retry")

    def drop_message(self, message: int) -> None:
        """Drop a parked message."""
        self._call("DELETE", f"/v1/outbox/parked/{message}")

    def prompts(self, search: str = "") -> list[Prompt]:
        """List prompts by name: all, or those whose name contains `search`."""
        return list(self._all(Prompt, "/v1/prompts", {"search": search} if search else {}))

    def versions(self, name: str) -> list[Version]:
        """List a prompt's versions, the newest first."""
        return list(self._all(Version, f"/v1/prompts/{_path_segment(name)}/versions"))

    def diff(self, name: str, before: int, after: int) -> Diff:
        """Return the differences from one version to another."""
        return self._read(
            Diff, "GET", f"/v1/prompts/{_path_segment(name)}/diff", params={"from": str(before), "to": str(after)}
        )

    def removed_labels(self, name: str) -> set[str]:
        """Return the labels of a prompt that were removed at some time; they may exist again."""
        path = f"/v1/prompts/{_path_segment(name)}/events"
        return {removal.detail.label for removal in self._all(LabelRemoval, path, {"kind": "label.removed"})}

    def history(self, name: str, label: str) -> list[LabelMove]:
        """List a label's moves, the newest first."""
        return list(self._all(LabelMove, f"/v1/prompts/{_path_segment(name)}/labels/{_path_segment(label)}/history"))

    def traffic(self, start: str) -> Traffic:
        """Return the project's traffic since a time, by prompt, and the calls without a known version with the reason."""
        return self._read(Traffic, "GET", "/v1/traffic", params={"from": start, "by": "prompt,reason"})

    def prompt_traffic(self, name: str, start: str, by: str) -> Traffic:
        """Return a prompt's traffic since a time, divided as `by` names it."""
        return self._read(Traffic, "GET", f"/v1/prompts/{_path_segment(name)}/traffic", params={"from": start, "by": by})

    def compare_traffic(self, name: str, start: str, baseline: int, candidate: int) -> VersionComparison:
        """Return two versions of a prompt side by side since a time."""
        query = {"from": start, "baseline": baseline, "candidate": candidate}
        return self._read(VersionComparison, "GET", f"/v1/prompts/{_path_segment(name)}/traffic/comparison", params=query)

    def sampled_calls(
        self, prompt: str, limit: int, cursor: str | None, filters: Mapping[str, str | None]
    ) -> Page[SampledCall]:
        """Return a page of the sampled calls of a prompt, the newest first."""
        return self._page(SampledCall, "/v1/observations", limit, cursor, {"prompt": prompt, **filters})

    def _all(self, model: type[T], path: str, params: dict[str, str] | None = None) -> Iterator[T]:
        cursor = None
        while True:
            query = {"limit": str(PAGE_SIZE), **(params or {}), **({"cursor": cursor} if cursor else {})}
            page = self._read(Page[model], "GET", path, params=query)  # type: ignore[valid-type]  # made at run time
            yield from page.items
            cursor = page.next_cursor
            if cursor is None:
                return

    def _page(self, model: type[T], path: str, limit: int, cursor: str | None, filters: Mapping[str, str | None]) -> Page[T]:
        query = {"limit": str(limit), "cursor": cursor, **filters}
        params = {name: value for name, value in query.items() if value is not None}
        return self._read(Page[model], "GET", path, params=params)  # type: ignore[valid-type]  # made at run time

    def _read(self, model: type[T], method: str, path: str, **options: Any) -> T:
        return _parse_response(model, self._call(method, path, **options))

    def relay(self, method: str, path: str, query: str, body: bytes) -> httpx.Response:
        """Send a JSON request of the browser as it is, and return the response as it is, errors included."""
        address = f"{path}?{query}" if query else path
        return self._send(method, address, content=body or None, headers={"Content-Type": "application/json"} if body else {})

    def _call(self, method: str, path: str, **options: Any) -> httpx.Response:
        response = self._send(method, path, **options)
        if not response.is_success:
            raise ApiError(response.status_code, _error_message(response))
        return response

    def _send(self, method: str, path: str, *, headers: Mapping[str, str] | None = None, **options: Any) -> httpx.Response:
        try:
            authorization = {"Authorization": f"Bearer {self.key}"} if self.key else {}
            return self.http.request(method, path, headers={**self.headers, **authorization, **(headers or {})}, **options)
        except (httpx.HTTPError, UnicodeEncodeError) as error:
            if isinstance(error, UnicodeEncodeError):
                raise ApiError(401, "the key contains characters that no key has; copy it again") from None
            url = self.http.base_url
            raise ApiError(0, f"the API at {url} does not respond; check that `promptuary serve` runs there") from error


def _path_segment(name: str) -> str:
    return quote(name, safe="")


def _parse_response(model: type[T], response: httpx.Response) -> T:
    try:
        return model.model_validate_json(response.content)
    except ValidationError as error:
        raise ApiError(0, "the API's response is not of this release; check that both have the same version") from error


def _error_message(response: httpx.Response) -> str:
    """Return the problem's detail and its field errors, or the status where the response is not problem+json."""
    try:
        problem = response.json()
        field_errors = [f"{field['path']} {field['message']}".strip() for field in problem.get("errors", ())]
        return "; ".join([str(problem["detail"]), *field_errors])
    except (ValueError, KeyError, TypeError, AttributeError):
        return f"the API responded with the status {response.status_code}"
