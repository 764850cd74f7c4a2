"""What the next closes may be, how likely, and how well that was known so far. Pure; one bar at a time."""
