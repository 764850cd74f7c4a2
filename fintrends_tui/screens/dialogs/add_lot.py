"""The question what was bought or sold."""

from datetime import date

from fintrends_tui.screens.dialogs.ask import AskScreen
from pipeline.model.lots import InvalidLotError, parse_lot
from pipeline.model.positions import Lot


class AddLotScreen(AskScreen[Lot]):
    """Returns the lot as it was understood, or None."""

    def __init__(self, today: date) -> None:
        super().__init__(
            "Add a lot",
            "TICKER QUANTITY PRICE [DATE] [fees NUMBER] [CURRENCY]. The price is for one, as the exchange quotes it "
            "(London in pence); the quantity is negative for a sale; fees are in all, in pounds and not pence. Without "
            "a date: today.",
            verb="add",
            placeholder=f"AAPL 10 150.25 {today} fees 1.50",
        )
        self._today = today

    def answered(self, text: str) -> None:
        try:
            self.dismiss(parse_lot(text, self._today))
        except InvalidLotError as error:
            self.refuse(str(error))
