"""The bus on Apache Kafka. Nothing outside imports aiokafka."""
