"""The bus on SQLite, for one machine."""
