"""Pure computation: indicators, series, sentiment, and the market as a screen shows it."""
