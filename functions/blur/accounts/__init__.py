"""Who can call and how calls are paid: keys, credits, holds, rate limits, idempotency."""
