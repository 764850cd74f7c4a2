"""The same job as the pipeline's, written for it alone.

Each reads bars from the topics `stock_data_<ticker>`, computes a row of indicators at every bar, publishes it to
`indicators_<ticker>`, and keeps bars and rows in an SQLite file. Where and of which tickers comes from the environment:
KAFKA, TICKERS (with spaces between), DATABASE.

`naive` is what a newcomer writes, one message at a time. The others are what an expert of each client library writes:
batches, of which an offset is committed once all is published and stored, and what `job` does with a batch.
"""
