"""What operators see: logs, metrics, the status line, reports and queries."""
