"""The routes of reviews: queues, their sources, claims, decisions, exports, agreement, pairs, gold cases and judges."""

from promptuary.review.agreement.routes import router as agreement_routes
from promptuary.review.calibration.routes import router as judge_routes
from promptuary.review.claims.routes import router as claim_routes
from promptuary.review.exports.routes import router as export_routes
from promptuary.review.gold.routes import router as gold_routes
from promptuary.review.labels.routes import router as decision_routes
from promptuary.review.preferences.routes import router as preference_routes
from promptuary.review.queues.routes import router as queue_routes
from promptuary.review.sources.routes import router as source_routes

routers = (
    queue_routes,
    source_routes,
    claim_routes,
    decision_routes,
    export_routes,
    agreement_routes,
    preference_routes,
    gold_routes,
    judge_routes,
)
