"""What tests and benchmarks share: recorded data, servers to run against, faults, fakes."""
