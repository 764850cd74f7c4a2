"""Recorded bars as live data."""
