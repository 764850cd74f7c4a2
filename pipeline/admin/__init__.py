"""What is done to topics, groups and documents by hand: the plan of what would happen, and carrying it out."""
