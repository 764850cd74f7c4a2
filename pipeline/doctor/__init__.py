"""`fintrends-tui doctor`: checks everything a pipeline needs, changes nothing."""
