"""Real Kafka brokers and MongoDB servers to test against."""
