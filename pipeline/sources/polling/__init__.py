"""Items of providers that are asked for each ticker in turn: posts, articles, filings."""
