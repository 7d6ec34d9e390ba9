"""Authentication and payment of calls: keys, credits, holds, rate limits, idempotency."""
