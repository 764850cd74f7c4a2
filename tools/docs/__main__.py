"""`python -m tools.docs`: write anew what is made from the code and kept in the repository.

These are the man page, which the package ships, the description of the topics, and the schemas of this version.
"""

import sys
from pathlib import Path
from typing import Final

from tools.docs.asyncapi import asyncapi_page
from tools.docs.commands_page import man_page
from tools.docs.compatibility import IncompatibleError, record

_ROOT: Final = Path(__file__).parents[2]


def main() -> None:
    """Write them; nothing, if that would break programs downstream."""
    try:
        record()
    except IncompatibleError as error:
        sys.exit(str(error))
    (_ROOT / "docs" / "fintrends-tui.1").write_text(man_page(), "utf-8")
    (_ROOT / "docs" / "asyncapi.yaml").write_text(asyncapi_page(), "utf-8")


if __name__ == "__main__":
    main()
