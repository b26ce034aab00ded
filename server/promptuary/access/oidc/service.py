"""The rules of a sign-in with the identity provider: who the person is here, which roles they have, and their session."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from threading import BoundedSemaphore
from typing import Any
from urllib.parse import urlsplit

from promptuary.access import audit, store
from promptuary.access.credentials import DEFAULT_PROJECT
from promptuary.access.identity import NAME_LIMIT, person_name_error
from promptuary.access.oidc.provider import CALLBACK_PATH, AuthorizationRequest, IdentityProvider
from promptuary.access.oidc.role_mapping import RoleMapping, groups_in, parse_role_mapping
from promptuary.access.people import store as people_store
from promptuary.access.people.service import PeopleService
from promptuary.access.people.store import Person
from promptuary.access.role import Role
from promptuary.access.sessions.service import OpenedSession, SignIn, open_session
from promptuary.access.store import Project
from promptuary.access.token_issuers.document import is_issuer_url
from promptuary.access.token_issuers.issuer import TokenIssuers
from promptuary.access.token_issuers.signed_token import SignedToken, verify_token
from promptuary.access.unit_of_work import Caller, UnitOfWork
from promptuary.core.clock import Clock, freeze_clock
from promptuary.core.database import Database, Session
from promptuary.core.errors import AlreadyExists, FieldError, Forbidden, NotFound, Unavailable
from promptuary.core.settings import InvalidSettings, Settings

METHOD = "oidc"
AT_ONCE = 4
"""Sign-ins that may wait for the provider at a time: strangers can begin them, and each uses a thread."""
NAME_TRIES = 50


@dataclass(frozen=True)
class ProviderSignIn:
    """A browser that comes back from the provider.

    Attributes:
        code: what the provider sent with it.
        verifier: of the challenge with which the sign-in began.
        nonce: with which it began.
        user_agent: the browser's name.
        project: where to sign in; None for the person's own choice of one.
    """

    code: str
    verifier: str
    nonce: str
    user_agent: str
    project: str | None = None


class OidcService:
    """Sign-in with the identity provider that the settings name."""

    def __init__(self, settings: Settings, database: Database, clock: Clock, issuers: TokenIssuers) -> None:
        """Store what it works with; connect to nothing.

        Raises:
            InvalidSettings: for a provider that cannot be asked, or a mapping of groups that has no roles of people.
        """
        self._settings, self._database, self._clock = settings, database, clock
        self._mapping: RoleMapping = parse_role_mapping(settings.oidc_roles)
        self._provider: IdentityProvider | None = None
        self._places = BoundedSemaphore(AT_ONCE)
        if settings.oidc_issuer:
            self._provider = _provider(settings, settings.oidc_issuer, issuers)

    @property
    def name(self) -> str | None:
        """The provider's name for people; None where none is set up."""
        return self._settings.oidc_name if self._provider else None

    @property
    def redirect_uri(self) -> str:
        """The address to which the provider sends browsers back.

        Raises:
            NotFound: when no provider is set up.
        """
        return self._set_up().redirect_uri

    def authorization_url(self, request: AuthorizationRequest) -> str:
        """Return the address at which a person signs in.

        Raises:
            NotFound: when no provider is set up.
            IssuerFailed, Unavailable: when it does not answer, or is being asked by many.
        """
        with self._place():
            return self._set_up().authorization_url(request)

    def sign_in(self, sign_in: ProviderSignIn) -> OpenedSession:
        """Open the session of a person whom the provider sent back.

        The person is who has the provider's subject, whatever name or address the provider states. Their roles in the projects
        of the mapping are those of their groups, from now on.

        Raises:
            NotFound: when no provider is set up.
            TokenRefused: when the code, the verifier, the nonce or the token is not of this sign-in.
            IssuerFailed, Unavailable: when the provider does not answer, or is being asked by many.
            Forbidden: when the person has no role here.
        """
        provider = self._set_up()
        with self._place():
            tokens = provider.exchange(sign_in.code, sign_in.verifier)
            now = self._clock()
            token = verify_token(provider.issuer, tokens.id_token, provider.client_id, now, sign_in.nonce)
            claims = dict(token.claims)
            if groups_in(claims, self._settings.oidc_groups_claim) is None:
                claims = {**provider.user_claims(tokens, token.subject), **claims}
        groups = groups_in(claims, self._settings.oidc_groups_claim) or []
        with self._database.write() as session:
            person = self._person(session, token, claims, self._mapping.roles_of(groups))
        with self._database.write() as session:
            project = self._project(session, person, sign_in.project)
            lifetime = timedelta(hours=self._settings.session_hours)
            return open_session(session, SignIn(person, project.id, METHOD, sign_in.user_agent, lifetime), self._clock())

    def _set_up(self) -> IdentityProvider:
        if self._provider is None:
            raise NotFound("no identity provider is set up; an operator sets PROMPTUARY_OIDC_ISSUER")
        return self._provider

    @contextmanager
    def _place(self) -> Iterator[None]:
        if not self._places.acquire(blocking=False):
            raise Unavailable("many people are signing in at this moment; try again")
        try:
            yield
        finally:
            self._places.release()

    def _person(self, session: Session, token: SignedToken, claims: Mapping[str, Any], roles: Mapping[str, Role]) -> str:
        """Return the person's id, after their roles are those of their groups; create them at their first sign-in."""
        person = people_store.find_external_identity(session, token.issuer, token.subject)
        projects = {name: project for name in self._mapping.projects if (project := store.find_project(session, name))}
        mapped = {name: role for name, role in roles.items() if name in projects}
        if person is None:
            if not mapped:
                raise Forbidden(
                    "your groups give you no role here; ask an administrator to map one of them (PROMPTUARY_OIDC_ROLES)"
                )
            people = self._people(session, token, projects[min(mapped)])
            person = _create(people, claims)
            people_store.add_external_identity(session, token.issuer, token.subject, person.id, people.unit.clock())
            detail = {"issuer": token.issuer, "subject": token.subject}
            audit.record_change(people.unit, "person.linked", person.id, detail)
        if person.deactivated_at is not None:
            raise Forbidden("your account is deactivated")
        for name, project in sorted(projects.items()):
            people = self._people(session, token, project)
            if name in mapped:
                people.set_role(person.id, mapped[name])
            else:
                people.remove_role(person.id)
        return person.id

    def _people(self, session: Session, token: SignedToken, project: Project) -> PeopleService:
        """Return people on behalf of the provider, whose groups decide."""
        identity = f"{METHOD}:{urlsplit(token.issuer).netloc}"
        caller = Caller(project.id, project.name, identity, Role.OPERATOR)
        return PeopleService(UnitOfWork(session, caller, freeze_clock(self._clock), self._settings))

    def _project(self, session: Session, person_id: str, name: str | None) -> Project:
        """Return the project to sign in to: the requested one, else the default one, else the first by name."""
        person = people_store.find_person(session, person_id)
        names = [membership.project_name for membership in person.memberships] if person else []
        chosen = name or (DEFAULT_PROJECT if DEFAULT_PROJECT in names else min(names, default=None))
        project = store.find_project(session, chosen) if chosen in names and chosen else None
        if project is None:
            raise Forbidden(
                "you have no role in the project; ask an administrator" if name else "you have no role here any more"
            )
        return project


def _create(people: PeopleService, claims: Mapping[str, Any]) -> Person:
    """Create the person under the name that the provider states, or one like it where it is taken or cannot be a name."""
    stated = (claims.get(claim) for claim in ("name", "preferred_username", "email"))
    usable = [name.strip() for name in stated if isinstance(name, str) and person_name_error(name.strip()) is None]
    name = usable[0] if usable else "New person"
    for number in range(1, NAME_TRIES + 1):
        try:
            return people.create(name if number == 1 else f"{name[: NAME_LIMIT - 6]} ({number})")
        except AlreadyExists:
            continue
    raise AlreadyExists(f"there are {NAME_TRIES} people named '{name}' already; ask an administrator to rename some")


def _provider(settings: Settings, issuer: str, issuers: TokenIssuers) -> IdentityProvider:
    field_errors = []
    if not is_issuer_url(issuer):
        field_errors.append(FieldError("PROMPTUARY_OIDC_ISSUER", "must begin with https://; plain http is for loopback"))
    if not settings.oidc_client_id:
        field_errors.append(FieldError("PROMPTUARY_OIDC_CLIENT_ID", "is required beside the issuer"))
    if field_errors:
        raise InvalidSettings("the settings cannot be used", field_errors)
    secret, redirect_uri = settings.oidc_client_secret, settings.ui_url.rstrip("/") + CALLBACK_PATH
    return IdentityProvider(
        issuers.get(issuer),
        settings.oidc_client_id,
        secret.get_secret_value() if secret else None,
        redirect_uri,
        settings.oidc_scopes,
    )
