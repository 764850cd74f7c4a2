"""The terminal dashboard and the command line. It knows no engine."""
