"""The direct call of a rendering: the route of `promptuary render`, without HTTP. The app renders what has a context."""

from promptuary.access.unit_of_work import UnitOfWork
from promptuary.cli.embedded.direct_call import DirectCall, NotDirect, Request, Work, to_json
from promptuary.context.schemas import Render, RenderedOut
from promptuary.prompt.digest import content_from_json
from promptuary.prompt.templates.preparation import prepare
from promptuary.registry.service import Registry


def _render(request: Request) -> Work:
    name, body = request.name(), request.parse(Render)

    def work(unit: UnitOfWork) -> str:
        result = Registry(unit).lookup(name, label=body.label, version=body.version, targeting_key=body.targeting_key)
        settings = unit.settings
        prepared = prepare(content_from_json(result.version.content), jinja2=settings.jinja2)
        if prepared.content.context is not None:
            raise NotDirect
        rendered = prepared.render(body.variables, (), limit=settings.output_limit, attachment_limit=settings.attachment_limit)
        return to_json(RenderedOut.of(result, rendered))

    return work


RENDER = DirectCall(_render)
