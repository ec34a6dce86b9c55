"""Billing: subscription, usage and payments."""
