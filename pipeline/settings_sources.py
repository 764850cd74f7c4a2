"""Settings of sources: which there are, and those of the platforms that posts come from."""

import re
from collections.abc import Mapping
from typing import Annotated, Final

from msgspec import Meta, Struct

AUTO: Final = "auto"
REPLAY: Final = "replay:"
BUILT_IN_SOURCES: Final = ("alpha_vantage", "reddit", "simulator", "stocktwits")

BaseUrl = Annotated[str, Meta(pattern=r"^https?://[^\s?#]*[^\s?#/]$")]

_NAME: Final = re.compile("[a-z][a-z0-9_-]{0,31}")
_TARGET: Final = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")


class StockTwitsSettings(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    enabled: bool = True
    base_url: BaseUrl = "https://api.stocktwits.com"


class RedditSettings(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """Used once `client_id` and `client_secret` are set."""

    client_id: str = ""
    client_secret: str = ""
    subreddits: tuple[Annotated[str, Meta(pattern="^[A-Za-z0-9_]{2,32}$")], ...] = (
        "stocks",
        "investing",
        "wallstreetbets",
    )
    base_url: BaseUrl = "https://oauth.reddit.com"
    token_url: BaseUrl = "https://www.reddit.com/api/v1/access_token"  # noqa: S105
    user_agent: str = ""


def check_sources(source: str, sources: Mapping[str, str]) -> None:
    """Check the source chosen, and the names and targets of plug-ins.

    Raises:
        ValueError: for the first that cannot be; the message says what is allowed.
    """
    for name, target in sources.items():
        if name in (AUTO, *BUILT_IN_SOURCES) or not _NAME.fullmatch(name):
            raise ValueError(
                f"sources.{name}: a name of your own is wanted here, of lower-case letters, digits, _ and -"
            )
        if not _TARGET.fullmatch(target):
            raise ValueError(f'sources.{name}: {target!r} must be "package.module:factory"')
    replay = source.startswith(REPLAY) and source != REPLAY
    names = (AUTO, *BUILT_IN_SOURCES, *sources)
    if source not in names and not replay:
        raise ValueError(f"pipeline.source {source!r} must be {', '.join(names)} or replay:DIR")
