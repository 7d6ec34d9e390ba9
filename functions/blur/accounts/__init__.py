"""Who may call and what they have paid for: keys, credits, holds, rate limits, idempotency."""
