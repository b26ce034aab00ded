"""What changes from one content to another, part by part, and what of it breaks who works with the first."""
