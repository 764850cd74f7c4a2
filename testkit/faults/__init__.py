"""Replays under faults, and the ledger that says what was lost, doubled or wrong."""
