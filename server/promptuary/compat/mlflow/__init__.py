"""Routes that MLflow's prompt API speaks."""
