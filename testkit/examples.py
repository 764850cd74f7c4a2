"""How many examples Hypothesis tries of what is dear."""

from typing import Final

from hypothesis import settings

DEAR: Final = settings().max_examples // 2
"""Where one example takes tens of milliseconds: half as many as the profile has."""
