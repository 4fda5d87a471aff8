"""What a paper takes from a study: a table, a paragraph, references, a checklist."""
