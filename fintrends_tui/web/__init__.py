"""The dashboard in a browser: a server on loopback that runs one dashboard process for each who looks."""
