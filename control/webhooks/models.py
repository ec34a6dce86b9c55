"""Webhooks: what happened, told to the URLs a tenant names (Standard Webhooks 1.0.0)."""
