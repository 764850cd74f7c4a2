"""The table of the watchlist and its parts."""
