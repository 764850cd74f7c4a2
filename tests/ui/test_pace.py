from fintrends_tui.terminal.pace import FramePacer


class Terminal:
    """Answers `delay` seconds after a paint, or never; time passes in sixteenths of a second."""

    def __init__(self, delay: float | None, *, writable: bool = True) -> None:
        self.pace = FramePacer(0.25)
        self.now = 0.0
        self.delay = delay
        self.writable = writable
        self._answers_at: list[float] = []

    def paints_in(self, seconds: float) -> int:
        paints = 0
        for _ in range(int(seconds * 16)):
            self.now += 1 / 16
            while self._answers_at and self._answers_at[0] <= self.now:
                self._answers_at.pop(0)
                self.pace.answered()
            if self.pace.due(self.now, writable=self.writable):
                paints += 1
                if self.pace.painted(self.now) and self.delay is not None:
                    self._answers_at.append(self.now + self.delay)
        return paints


def test_a_terminal_that_keeps_up_is_painted_at_the_full_rate() -> None:
    terminal = Terminal(0.05)
    assert terminal.paints_in(10) == 40
    assert not terminal.pace.is_slow


def test_a_terminal_that_never_answers_and_takes_output_is_too() -> None:
    assert Terminal(None).paints_in(10) == 40


def test_no_paint_begins_before_the_last_is_seen() -> None:
    terminal = Terminal(2.0)
    terminal.paints_in(4)  # until the first answer nobody knows that it answers
    assert 5 <= terminal.paints_in(20) <= 10
    assert terminal.pace.is_slow


def test_it_recovers_when_the_terminal_does() -> None:
    terminal = Terminal(2.0)
    terminal.paints_in(20)
    terminal.delay = 0.05
    terminal.paints_in(60)
    assert not terminal.pace.is_slow
    assert terminal.paints_in(10) == 40


def test_one_about_as_fast_as_a_paint_a_second_is_called_slow_all_along() -> None:
    terminal = Terminal(0.7)
    terminal.paints_in(20)
    told = []
    for _ in range(60):
        terminal.paints_in(1)
        told.append(terminal.pace.is_slow)
    assert all(told)


def test_one_that_takes_no_output_is_not_painted() -> None:
    terminal = Terminal(None, writable=False)
    assert terminal.paints_in(10) == 0
    terminal.writable = True
    assert terminal.paints_in(1) >= 1


def test_a_lost_answer_holds_paints_up_for_a_while_only() -> None:
    terminal = Terminal(0.05)
    terminal.paints_in(2)
    terminal.delay = None
    terminal.paints_in(1)
    assert terminal.paints_in(8) == 0
    assert terminal.paints_in(4) > 0
