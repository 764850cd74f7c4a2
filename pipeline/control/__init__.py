"""The control socket and what its commands do."""
