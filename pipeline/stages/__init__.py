"""What runs under the supervisor: one file a stage."""
