"""What people decided on a run's results, as evaluations read it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from promptuary.core.database import Session
from promptuary.evaluation.judges.draw import DrawnResult
from promptuary.evaluation.judges.identity import judges_of
from promptuary.evaluation.judges.labels import LabelDraw, MetricLabels, ResultKey
from promptuary.evaluation.plan import Plan
from promptuary.evaluation.runs import result_store
from promptuary.evaluation.suites.suite import Suite
from promptuary.review.calibration.judged_draw import JudgedDraw, Subject, read_draws


@dataclass(frozen=True)
class ReviewedLabels:
    """Reads labels of review queues; implements `HumanLabels`.

    A label is of an output. It counts for a run where a result of the same case, version and model has the same output, as
    one from the response cache has.
    """

    def read(self, session: Session, project: int, run: str, plan: Plan) -> Mapping[str, MetricLabels]:
        """Return the labels by metric, one entry for each metric that a model judges."""
        from promptuary.review.calibration.calibration import calibrate  # loads numpy

        judges = judges_of(Suite.model_validate(plan.suite).scorers)
        if not judges:
            return {}
        draws = read_draws(session, project, frozenset(judges))
        labels = {}
        for metric, judge in judges.items():
            of_metric = [draw for draw in draws if draw.judge.metric == metric]
            own = [
                draw for draw in of_metric if (draw.judge.digest, draw.dataset.digest) == (judge.digest, plan.dataset.digest)
            ]
            others = [draw for draw in of_metric if draw.suite == plan.suite_name and draw not in own]
            figures = calibrate(judge, plan.dataset, own, others).figures
            labels[metric] = MetricLabels(figures, _of_run(session, run, plan, own))
        return labels


def _of_run(session: Session, run: str, plan: Plan, draws: Sequence[JudgedDraw]) -> list[LabelDraw]:
    """Return the draws of each queue as results of a run: its own items, and items of equal outputs in other runs."""
    variants: dict[Subject, str] = {}
    for variant in plan.variants:
        variants.setdefault((variant.digest, variant.model), variant.name)
    cases = sorted({item.key[1] for draw in draws if draw.run != run for item in draw.items})
    outputs = result_store.outputs_by_case(session, run, cases)
    by_queue: dict[str, dict[ResultKey, DrawnResult]] = {}
    for draw in sorted(draws, key=lambda draw: draw.run != run):
        results = by_queue.setdefault(draw.queue, {})
        for item in draw.items:
            _, case, repeat = item.key
            if draw.run == run:
                results[item.key] = item.drawn
                continue
            own = variants.get(item.subject)
            if own is not None and item.output is not None and outputs.get((own, case, repeat)) == item.output:
                results.setdefault((own, case, repeat), item.drawn)
    return [LabelDraw(queue, results) for queue, results in by_queue.items()]
