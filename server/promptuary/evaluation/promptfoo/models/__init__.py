"""promptfoo's providers with settings as models of a suite."""
