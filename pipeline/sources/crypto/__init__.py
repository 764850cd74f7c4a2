"""What exchanges of crypto-currencies have in common: pairs, candles of a day that is UTC, and a feed of them."""
