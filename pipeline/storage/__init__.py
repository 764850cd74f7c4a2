"""Files of the data directory: databases, state files, the lock."""
