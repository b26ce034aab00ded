"""The routes of production traffic."""

from promptuary.traffic.comparison.routes import router as comparison_routes
from promptuary.traffic.erasure.routes import router as erasure_routes
from promptuary.traffic.feedback.routes import router as feedback_routes
from promptuary.traffic.figures.routes import router as figure_routes
from promptuary.traffic.intake.routes import router as intake_routes
from promptuary.traffic.online.routes import router as online_routes
from promptuary.traffic.replay.routes import router as replay_routes
from promptuary.traffic.sample.routes import router as sample_routes
from promptuary.traffic.settings.routes import router as settings_routes

routers = (
    comparison_routes,
    erasure_routes,
    feedback_routes,
    figure_routes,
    intake_routes,
    online_routes,
    replay_routes,
    sample_routes,
    settings_routes,
)
