"""News that need no key: Yahoo's headlines by RSS, and the filings of companies with the SEC."""
