"""The machine it runs on: its streams, places, rights and addresses."""
