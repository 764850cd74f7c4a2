"""What crosses the control socket: commands, replies, and the snapshot of the whole state."""
