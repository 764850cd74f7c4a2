"""Whether forecasts beat what anybody can compute in a line."""

from typing import Literal

Skill = Literal["unknown", "none", "some"]
"""Unknown while they are too few."""
