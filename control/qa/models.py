"""QA runs, findings and reviews."""
