"""`promptuary export` and `import`."""
