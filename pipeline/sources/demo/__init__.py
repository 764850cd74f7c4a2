"""A recorded hour of simulated markets, which `fintrends-tui demo` plays."""
