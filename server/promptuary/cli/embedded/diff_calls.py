"""The direct call of a comparison of two versions: the route of `promptuary diff`, without HTTP."""

from promptuary.cli.embedded.direct_call import DirectCall, NotDirect, Request, Work, to_json
from promptuary.registry.diff.schemas import DiffOut
from promptuary.registry.diff.versions import compare_versions
from promptuary.registry.service import Registry


def _diff(request: Request) -> Work:
    name, before, after = request.name(), request.query_text("from"), request.query_text("to")
    if before is None or after is None or len(before) > 128 or len(after) > 128:
        raise NotDirect
    return lambda unit: to_json(DiffOut.of(compare_versions(Registry(unit), name, before, after)))


DIFF = DirectCall(_diff, query=("from", "to"))
