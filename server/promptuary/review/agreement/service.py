"""Agreement between the reviewers of a queue, computed from its decisions; adjudicated labels do not count as a reviewer's."""

from promptuary.access.identity import shown_name
from promptuary.access.unit_of_work import UnitOfWork
from promptuary.review.agreement import store
from promptuary.review.agreement.disagreements import is_finished, sees_everything
from promptuary.review.agreement.labelled_item import list_reviewers
from promptuary.review.agreement.results import QueueAgreement
from promptuary.review.queues.service import QueueService


def compute_agreement(unit: UnitOfWork, name: str) -> QueueAgreement:
    """Compute the reviewers' agreement on each label of a queue.

    Those who manage the queue or adjudicate see it over all items, others over finished ones, whose labels nobody can change.

    Raises:
        NotFound: when there is no such queue.
    """
    from promptuary.review.agreement.figures import compute_label_agreement

    queue = QueueService(unit).find(name)
    labels = store.list_labels(queue)
    items = store.list_labelled_items(unit.session, queue, labels)
    everything = sees_everything(unit.caller)
    if not everything:
        now = unit.clock()
        items = [item for item in items if is_finished(item, queue, now)]
    reviews = [review for item in items for review in item.reviews]
    reviewers = list_reviewers(items)
    return QueueAgreement(
        items=sum(len(item.reviews) >= 2 for item in items),
        reviewers=len(reviewers),
        finished_only=not everything,
        schema_numbers=tuple(sorted({review.schema_number for review in reviews})),
        labels=tuple(compute_label_agreement(label, items) for label in labels),
        disagreements=tuple(item.source if everything else item.id for item in items if item.differing(labels)),
        names={reviewer: shown_name(unit.session, reviewer) for reviewer in reviewers},
    )
