"""`Idempotency-Key`."""
