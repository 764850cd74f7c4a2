"""Alpha Vantage: its client, what its replies mean, and what goes wrong."""
