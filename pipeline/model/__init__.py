"""What the pipeline is about: messages, documents, topics, tickers. Free of I/O."""
