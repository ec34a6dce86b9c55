"""Metrics, their summary and the job-completion objective."""
