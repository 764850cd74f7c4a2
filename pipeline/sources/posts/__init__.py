"""Posts from social platforms."""
