"""The copies of finished runs in MLflow."""
