"""Bringing what earlier versions stored up to date."""
