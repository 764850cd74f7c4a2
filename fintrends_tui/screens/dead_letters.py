"""The records that could not be processed."""

from typing import ClassVar

from textual.binding import BindingType

from fintrends_tui.commands import DEAD_LETTERS, MESSAGES, bindings
from fintrends_tui.screens.dialogs.plan import propose
from fintrends_tui.screens.messages import MessagesScreen
from fintrends_tui.widgets.message_table import MessageTable
from pipeline.contract.plans import Retry
from pipeline.model.documents import document_of
from pipeline.model.messages import DeadLetter, UndecodableError, decode
from pipeline.model.topics import DEAD_LETTER


class DeadLettersScreen(MessagesScreen):
    """The messages of `dead_letter`, whose records can be published again."""

    KEYS = (*DEAD_LETTERS, *MESSAGES)
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(DEAD_LETTERS)]

    def __init__(self) -> None:
        super().__init__(DEAD_LETTER)

    @property
    def letter(self) -> DeadLetter | None:
        """The selected one."""
        message = self.query_one(MessageTable).message
        try:
            found = None if message is None else decode(DEAD_LETTER, message.value.encode())
        except UndecodableError:  # others put it there
            return None
        return found if isinstance(found, DeadLetter) else None

    def action_retry(self) -> None:
        if (letter := self.letter) is not None:
            propose(self, Retry(keys=[document_of(letter).id]))

    def action_retry_alike(self) -> None:
        if (letter := self.letter) is not None:
            propose(self, Retry(reason=letter.reason))

    def action_retry_all(self) -> None:
        propose(self, Retry())
