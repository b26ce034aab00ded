"""Direct calls of keys and of the audit chain: each is one of the routes in `promptuary.access.routes`, without HTTP."""

import re

from promptuary.access import audit
from promptuary.access.audit import ChainHead
from promptuary.access.schemas import AuditHeadOut, CallerOut, CreatedKeyOut, NewKey, VerificationOut, page_of_keys
from promptuary.access.service import AccessService
from promptuary.access.unit_of_work import UnitOfWork
from promptuary.cli.embedded.direct_call import DirectCall, NotDirect, Request, Work, to_json

_KEY_ID = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)


def _read_self(request: Request) -> Work:
    return lambda unit: to_json(CallerOut.of(unit.caller))


def _create_key(request: Request) -> Work:
    body = request.parse(NewKey)

    def work(unit: UnitOfWork) -> str:
        key, api_key = AccessService(unit).create_key(body.name, body.role, body.days, body.project, body.holder())
        return to_json(CreatedKeyOut.of(key, key=str(api_key)))

    return work


def _list_keys(request: Request) -> Work:
    return lambda unit: to_json(page_of_keys(AccessService(unit).keys(*request.page(unit))))


def _revoke_key(request: Request) -> Work:
    (key,) = request.names
    if not _KEY_ID.fullmatch(key):
        raise NotDirect
    return lambda unit: AccessService(unit).revoke_key(key)


def _read_audit_head(request: Request) -> Work:

    def work(unit: UnitOfWork) -> str:
        head = audit.read_head(unit.session, unit.caller.project)
        return to_json(AuditHeadOut(project=unit.caller.project_name, sequence=head.sequence, digest=head.digest, at=head.at))

    return work


def _verify_audit(request: Request) -> Work:
    sequence, digest = request.query_number("sequence"), request.query_text("digest")
    head = None
    if sequence is not None and digest is not None and _DIGEST.fullmatch(digest):
        head = ChainHead(sequence, digest, None)
    elif sequence is not None or digest is not None:
        raise NotDirect
    return lambda unit: to_json(VerificationOut.model_validate(audit.verify_chain(unit.session, unit.caller.project, head)))


READ_SELF = DirectCall(_read_self)
CREATE_KEY = DirectCall(_create_key, writes=True)
LIST_KEYS = DirectCall(_list_keys, query=("limit", "cursor"))
REVOKE_KEY = DirectCall(_revoke_key, writes=True)
READ_AUDIT_HEAD = DirectCall(_read_audit_head)
VERIFY_AUDIT = DirectCall(_verify_audit, query=("sequence", "digest"))
