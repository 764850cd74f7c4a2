"""How the screen reaches the pipeline."""
