"""Running services and measuring them."""
