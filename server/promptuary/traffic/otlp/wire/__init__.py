"""OTLP's two encodings, decoded into spans and log records that do not know which of them they came in."""
