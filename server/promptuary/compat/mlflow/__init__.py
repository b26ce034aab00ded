"""The routes of MLflow's prompt API."""
