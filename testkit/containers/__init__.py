"""A container engine that leaves the machine alone, and stand-ins for images that would have to be pulled."""
