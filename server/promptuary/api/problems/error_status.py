"""The HTTP status of each error: the only module that maps errors to statuses."""

from collections.abc import Mapping

from promptuary.core import errors
from promptuary.prompt.errors import Invalid, PromptuaryError, RenderTooLarge

STATUS_BY_ERROR: Mapping[type[PromptuaryError], int] = {
    PromptuaryError: 500,
    Invalid: 422,
    errors.MalformedBody: 400,
    errors.InvalidPath: 400,
    errors.InvalidQuery: 400,
    errors.InvalidCursor: 400,
    errors.InvalidHeader: 400,
    errors.InvalidHost: 400,
    RenderTooLarge: 422,
    errors.NotAuthenticated: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.Erased: 410,
    errors.Conflict: 409,
    errors.PreconditionFailed: 412,
    errors.BodyTooLarge: 413,
    errors.UnsupportedMediaType: 415,
    errors.TooManyRequests: 429,
    errors.Unavailable: 503,
    errors.StorageFull: 507,
}


def status_of(error: type[PromptuaryError]) -> int:
    """Return the status of an error's nearest base class that has one."""
    return next(STATUS_BY_ERROR[kind] for kind in error.__mro__ if kind in STATUS_BY_ERROR)
