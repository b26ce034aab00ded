"""Commands on prompts, versions and labels."""
