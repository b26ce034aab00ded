"""Readers of files with rows: CSV, XLSX, Parquet, JSON lines and JSON arrays, each as objects with numbers."""
