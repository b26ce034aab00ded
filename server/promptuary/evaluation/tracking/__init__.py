"""The copy of finished runs in MLflow."""
