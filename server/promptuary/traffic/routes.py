"""The routes of production traffic."""

from promptuary.traffic.settings.routes import router as settings_routes

routers = (settings_routes,)
