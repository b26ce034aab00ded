"""The topic of the outbox under which finished runs are copied to MLflow."""

TRACKING_TOPIC = "mlflow"
