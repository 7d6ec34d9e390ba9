"""Accounts and their calls: keys, credits, holds, rate limits, idempotency."""
