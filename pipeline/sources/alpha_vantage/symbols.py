"""How Alpha Vantage writes a symbol."""

import re
from typing import Final

_CLASS_SHARE: Final = re.compile(r"([A-Z0-9]+)\.([A-Z])")


def symbol_of(ticker: str) -> str:
    """The provider's form: a share class follows a hyphen (``BRK.B`` → ``BRK-B``), an exchange a dot (``TSCO.LON``).

    No exchange of theirs has a name of one letter.
    """
    match = _CLASS_SHARE.fullmatch(ticker)
    return f"{match[1]}-{match[2]}" if match else ticker
