"""Files of promptfoo: read as promptfoo reads them, and turned into our suites, cases and prompts. No code of theirs is run."""
