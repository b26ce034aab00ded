"""Full-text search: the words of each prompt's newest version, and how a list of prompts is searched by them."""
