"""Settings and command-line options."""
