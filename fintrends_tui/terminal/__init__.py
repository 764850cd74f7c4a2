"""What a terminal can do, and running the screen in it."""
