"""The same job as the pipeline's, written as a newcomer to each library would after its documentation.

Each reads bars from the topic `stock_data_aapl`, keeps every bar and its row of indicators in MongoDB, and publishes
the row to `indicators_aapl`. Addresses come from the environment: KAFKA, MONGODB_HOST, MONGODB_PORT, DATABASE.
"""
