"""OTLP traces and logs of any emitter, read into model calls."""
