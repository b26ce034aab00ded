"""`promptuary sync`: prompt files and the registry kept alike."""
