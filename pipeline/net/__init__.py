"""Requests to providers: bounded, retried where that helps, within a budget."""
