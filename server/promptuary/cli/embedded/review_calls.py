"""Direct calls of reviews: each is one of the routes in `promptuary.review`, without HTTP."""

from promptuary.access.unit_of_work import UnitOfWork
from promptuary.cli.embedded.direct_call import DirectCall, Request, Work, to_json
from promptuary.core.wire import PageOf
from promptuary.review.agreement.schemas import AgreementOut
from promptuary.review.agreement.service import compute_agreement
from promptuary.review.preferences.schemas import PositionBiasOut, RankingOut
from promptuary.review.preferences.service import PreferenceService
from promptuary.review.queues.schemas import QueueOut
from promptuary.review.queues.service import QueueService


def _list_queues(request: Request) -> Work:
    def work(unit: UnitOfWork) -> str:
        page = QueueService(unit).queues(*request.page(unit))
        items = [QueueOut.of(state) for state in page.items]
        return to_json(PageOf[QueueOut](items=items, next_cursor=page.next_cursor))

    return work


def _read_agreement(request: Request) -> Work:
    queue = request.name()
    return lambda unit: to_json(AgreementOut.of(compute_agreement(unit, queue)))


def _read_position_bias(request: Request) -> Work:
    queue, field = request.name(), request.query_text("field")
    return lambda unit: to_json(PositionBiasOut.of(PreferenceService(unit).position_bias(queue, field)))


def _read_ranking(request: Request) -> Work:
    queue, field = request.name(), request.query_text("field")
    return lambda unit: to_json(RankingOut.of(PreferenceService(unit).ranking(queue, field)))


LIST_QUEUES = DirectCall(_list_queues, ("limit", "cursor"))
READ_AGREEMENT = DirectCall(_read_agreement)
READ_POSITION_BIAS = DirectCall(_read_position_bias, ("field",))
READ_RANKING = DirectCall(_read_ranking, ("field",))
