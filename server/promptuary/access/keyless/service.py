"""The rules of exchanging a pipeline's token for a key."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from promptuary.access import audit, store
from promptuary.access.api_key import ApiKey, generate_key, random_text
from promptuary.access.audit import Change
from promptuary.access.identity import NAME_LIMIT, service_identity
from promptuary.access.keyless import store as rule_store
from promptuary.access.keyless.claims import READERS, PipelineClaims
from promptuary.access.keyless.rule import KeylessRule, PipelinePattern
from promptuary.access.keys import store as key_store
from promptuary.access.keys.store import Key
from promptuary.access.role import GRANTABLE, Role, Scope
from promptuary.access.token_issuers.document import is_issuer_url
from promptuary.access.token_issuers.errors import TokenRefused
from promptuary.access.token_issuers.issuer import TokenIssuers
from promptuary.access.token_issuers.signed_token import unverified_issuer, verify_token
from promptuary.access.unit_of_work import UnitOfWork
from promptuary.core.clock import Clock
from promptuary.core.database import Database, Session
from promptuary.core.errors import Conflict, FieldError, Forbidden, InvalidRequest, NotFound
from promptuary.core.paging import Page, build_page, decode_cursor
from promptuary.core.settings import InvalidSettings, Settings


@dataclass(frozen=True)
class ExchangedKey:
    """A new key with its text, which is not stored, and the project that it belongs to."""

    key: Key
    text: ApiKey
    project_name: str


@dataclass(frozen=True)
class KeylessRules:
    """The rules of the caller's project."""

    unit: UnitOfWork

    def add(self, pattern: PipelinePattern, grants: frozenset[Scope], minutes: int) -> KeylessRule:
        """Store a rule.

        Raises:
            InvalidRequest: for an issuer that no operator listed, or grants that a pipeline cannot have.
            Forbidden: for what the caller may not do.
        """
        unit = self.unit
        issuers = unit.settings.keyless_issuers
        if pattern.issuer not in issuers:
            message = (
                f"is not listed; an operator lists issuers in PROMPTUARY_KEYLESS_ISSUERS. Today: {', '.join(sorted(issuers))}"
            )
            raise InvalidRequest("the rule cannot be stored", [FieldError("issuer", message)])
        if grants - GRANTABLE:
            message = f"may be {', '.join(sorted(GRANTABLE))}"
            raise InvalidRequest("the rule cannot be stored", [FieldError("grants", message)])
        unit.caller.require_to_give(Role.CI, grants)
        rule_id = f"rule_{random_text(12)}"
        rule = KeylessRule(rule_id, unit.caller.project, pattern, grants, minutes, unit.caller.identity, unit.clock())
        rule_store.add_rule(unit.session, rule)
        detail = {name: value for name, value in vars(pattern).items() if value is not None}
        audit.record_change(unit, "keyless_rule.added", rule.id, {**detail, "minutes": minutes, "grants": sorted(grants)})
        return rule

    def rules(self, limit: int, cursor: str | None) -> Page[KeylessRule]:
        """List the rules by id."""
        rows = rule_store.list_rules(self.unit.session, self.unit.caller.project, decode_cursor(cursor, str), limit + 1)
        return build_page(rows, limit, lambda rule: rule.id)

    def remove(self, rule: str) -> None:
        """Remove a rule; keys that it gave stay until they end by themselves, or are revoked.

        Raises:
            NotFound: when the project has no such rule.
        """
        if not rule_store.remove_rule(self.unit.session, self.unit.caller.project, rule, self.unit.clock()):
            raise NotFound(f"there is no rule '{rule}'")
        audit.record_change(self.unit, "keyless_rule.removed", rule)


class KeyExchange:
    """The exchange of tokens of the listed platforms for keys."""

    def __init__(self, settings: Settings, database: Database, clock: Clock, issuers: TokenIssuers) -> None:
        """Store what it works with; connect to nothing.

        Raises:
            InvalidSettings: for an issuer that cannot be asked.
        """
        wrong = [url for url in settings.keyless_issuers if not is_issuer_url(url)]
        if wrong:
            message = f"'{wrong[0]}' must begin with https://; plain http is for loopback"
            raise InvalidSettings("the settings cannot be used", [FieldError("PROMPTUARY_KEYLESS_ISSUERS", message)])
        self._platforms: Mapping[str, str] = settings.keyless_issuers
        self._audience = settings.token_audience
        self._database, self._clock, self._issuers = database, clock, issuers

    def exchange(self, token: str, project_name: str | None) -> ExchangedKey:
        """Return a new key of the role ci for a token.

        Args:
            token: what the platform signed for this pipeline and this service.
            project_name: the project, where rules of several fit.

        Raises:
            TokenRefused: when the token does not prove which pipeline it is.
            IssuerFailed: when the platform's keys cannot be fetched.
            Forbidden: when no rule fits.
            Conflict: when rules of several projects fit, and none is named.
        """
        issuer = unverified_issuer(token)
        if issuer is None or issuer not in self._platforms:
            raise TokenRefused("the token is not of a platform that is listed here (PROMPTUARY_KEYLESS_ISSUERS)")
        verified = verify_token(self._issuers.get(issuer), token, self._audience, self._clock())
        pipeline = READERS[self._platforms[issuer]](verified.claims)
        with self._database.write() as session:
            rule = _fitting_rule(session, issuer, pipeline, project_name)
            return self._create_key(session, rule, pipeline)

    def _create_key(self, session: Session, rule: KeylessRule, pipeline: PipelineClaims) -> ExchangedKey:
        now, text = self._clock(), generate_key()
        key = Key(
            id=text.id,
            project=rule.project,
            name=f"ci {pipeline.repository}@{pipeline.branch}"[:NAME_LIMIT],
            role=Role.CI,
            hash=text.secret_hash(),
            created_at=now,
            expires_at=now + timedelta(minutes=rule.minutes),
            grants=rule.grants,
        )
        key_store.add_key(session, key)
        detail = {name: value for name, value in vars(pipeline).items() if value is not None}
        change = Change(service_identity(key.id), "key.exchanged", key.id, {**detail, "rule": rule.id}, now)
        audit.append_entry(session, rule.project, change)
        project = store.get_project(session, rule.project)
        assert project is not None
        return ExchangedKey(key, text, project.name)


def _fitting_rule(session: Session, issuer: str, pipeline: PipelineClaims, project_name: str | None) -> KeylessRule:
    rules = [
        rule for rule in rule_store.rules_of_repository(session, issuer, pipeline.repository) if rule.pattern.fits(pipeline)
    ]
    if project_name is not None:
        project = store.find_project(session, project_name)
        rules = [rule for rule in rules if project is not None and rule.project == project.id]
    if not rules:
        where = f"repository {pipeline.repository}, branch {pipeline.branch or 'none'}, event {pipeline.event}"
        raise Forbidden(
            f"no rule fits this pipeline ({where}, environment {pipeline.environment or 'none'}); "
            "a lead adds one: promptuary key rule add"
        )
    if len({rule.project for rule in rules}) > 1:
        raise Conflict("rules of several projects fit this pipeline; send `project`")
    return max(rules, key=lambda rule: (len(rule.grants), rule.minutes))
