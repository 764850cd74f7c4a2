"""Where data come from: a folder for each provider, or kind of provider."""
