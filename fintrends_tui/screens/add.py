"""The question which tickers to add."""

from fintrends_tui.screens.ask import AskScreen
from pipeline.tickers import InvalidTickerError, parse_tickers


class AddScreen(AskScreen[list[str]]):
    """Returns the tickers, in upper case, or None."""

    def __init__(self, title: str = "Add tickers") -> None:
        super().__init__(
            title,
            "Several at once, separated by spaces or commas.",
            verb="add",
            placeholder="AAPL, BRK.B ^GSPC BTC-USD",
        )

    def answered(self, text: str) -> None:
        try:
            tickers = parse_tickers([text])
        except InvalidTickerError as error:
            self.refuse(str(error))
            return
        if tickers:
            self.dismiss(tickers)
        else:
            self.refuse("Type at least one ticker.")
