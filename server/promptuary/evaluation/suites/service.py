"""The rules of suites that are stored."""

from dataclasses import dataclass

from promptuary.access import audit
from promptuary.access.role import Scope
from promptuary.access.unit_of_work import UnitOfWork
from promptuary.core.errors import FieldError, InvalidRequest, NotFound
from promptuary.core.paging import Page, build_page, decode_cursor
from promptuary.evaluation.suites import store
from promptuary.evaluation.suites.store import StoredSuite
from promptuary.evaluation.suites.suite import Suite, suite_digest, suite_to_json
from promptuary.evaluation.suites.unfailing import unfailing_scorers
from promptuary.prompt.name import is_name


@dataclass(frozen=True)
class SuiteService:
    """Suites on behalf of a caller."""

    unit: UnitOfWork

    def put(self, suite: Suite) -> StoredSuite:
        """Write a suite, over the one of its name; runs keep the definition that they ran.

        Raises:
            InvalidRequest: when its dataset or its outputs are not a name (the command line stores their files first), and for
                a scorer that no output can fail.
            Forbidden: when it differs from the stored one, and the caller may not change it.
        """
        message = "must be the name of a stored dataset: a-z 0-9 _ . -"
        errors = [] if is_name(suite.dataset) else [FieldError("dataset", message)]
        outputs = [target.outputs for target in suite.targets if isinstance(target.outputs, str)]
        errors += [FieldError("outputs", message) for name in outputs if not is_name(name)]
        errors += unfailing_scorers(suite.scorers)
        if errors:
            raise InvalidRequest("the suite cannot be used", errors)
        digest, session, project = suite_digest(suite), self.unit.session, self.unit.caller.project
        stored = store.get_suite(session, project, suite.name)
        if stored is not None and stored.digest == digest:
            return stored
        self.unit.caller.require_change(Scope.SUITE_WRITE, f"the suite '{suite.name}'")
        new = StoredSuite(suite.name, suite_to_json(suite), digest, self.unit.clock())
        written = store.put_suite(session, project, new)
        audit.record_change(self.unit, "suite.written", suite.name, {"digest": digest})
        return written

    def get(self, name: str) -> StoredSuite:
        """Return a suite.

        Raises:
            NotFound: when there is none.
        """
        suite = store.get_suite(self.unit.session, self.unit.caller.project, name)
        if suite is None:
            raise NotFound(f"there is no suite '{name}'")
        return suite

    def list_suites(self, limit: int, cursor: str | None) -> Page[StoredSuite]:
        """Return a page of suites by name."""
        rows = store.list_suites(self.unit.session, self.unit.caller.project, decode_cursor(cursor, str), limit + 1)
        return build_page(rows, limit, lambda suite: suite.name)
