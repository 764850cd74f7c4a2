"""What runs under the supervisor: one module per stage."""
