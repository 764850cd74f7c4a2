"""The file of positions: what is read in spite of mistakes, who is obeyed, and what a change leaves."""

import os
from contextlib import suppress
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.model.lots import InvalidLotError, parse_lot
from pipeline.storage import positions_file
from pipeline.storage.positions_file import PositionBook, PositionsError, PositionsFile, WrittenLot
from tests.model.test_lots import TODAY

TEXT = """\
# What I own.

[[lot]]
ticker = "AAPL"   # the first
quantity = 10
price = 150.25
date = 2024-03-01

# Bought with the bonus.
[[lot]]
ticker = "VOD.L"
quantity = 1000
price = 90
fees = 9.95

[[lot]]
ticker = "BTC-USD"
quantity = 0.5
price = 30000.0
# The end.
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "positions.toml"


def written(path: Path, text: str, mode: int = 0o600) -> PositionsFile:
    path.write_bytes(text.encode())
    path.chmod(mode)
    return PositionsFile(path)


def tickers(file: PositionsFile) -> list[str]:
    return [lot.lot.ticker for lot in file.current().lots]


def lot_of(file: PositionsFile, ticker: str) -> WrittenLot:
    return next(lot for lot in file.current().lots if lot.lot.ticker == ticker)


class TestReading:
    def test_lots_and_the_lines_they_begin_on(self, path: Path) -> None:
        book = written(path, TEXT).current()
        assert [(lot.lot.ticker, lot.lot.quantity, lot.line) for lot in book.lots] == [
            ("AAPL", 10, 3),
            ("VOD.L", 1000, 10),
            ("BTC-USD", Decimal("0.5"), 16),
        ]
        assert book.problems == ()

    def test_no_file_is_no_positions(self, path: Path) -> None:
        assert PositionsFile(path).current() == PositionBook()
        assert PositionsFile(path / "below" / "nothing").current() == PositionBook()

    @pytest.mark.parametrize(
        ("before", "after", "line", "why"),
        [
            ("quantity = 1000", 'quantity = "many"', 12, "quantity is not a number"),
            ("quantity = 1000", "quantity = = 5", 12, "Invalid value"),
            ("quantity = 1000", "quantity 1000", 12, "Expected '=' after a key"),
            ("quantity = 1000\n", "", 10, "quantity is missing"),
            ("price = 90", "prise = 90", 13, "'prise' is not known"),
            ("fees = 9.95", "fees = [", 14, "Invalid value"),
            ("fees = 9.95", "[fees]\nbroker = 1", 14, "'fees' is no part of a lot"),
            ('"VOD.L"', '"VOD L"', 11, "is not a ticker symbol"),
            ('"VOD.L"', '"\x1b[31mVOD"', 11, "Illegal character"),
            ("price = 90", "price = 1e999999999", 13, "price is not a number"),
            ("price = 90", "price = inf", 13, "price is not a number"),
            ("fees = 9.95", '[["lot"]]\nticker = "X"\nquantity = 1', 14, "a second lot begins here in another way"),
            ("price = 90", "price = 90\nprice = 91", 14, "Cannot overwrite a value"),
        ],
    )
    def test_a_mistake_names_its_line_and_costs_no_other_lot(
        self, path: Path, before: str, after: str, line: int, why: str
    ) -> None:
        file = written(path, TEXT.replace(before, after))
        (problem,) = file.current().problems
        assert problem.startswith(f"{path}, line {line}: ")
        assert why in problem
        assert problem.endswith("; this lot is left out")
        assert "\x1b" not in problem
        assert tickers(file) == ["AAPL", "BTC-USD"]

    def test_what_stands_before_the_first_lot_is_named(self, path: Path) -> None:
        file = written(path, "# mine\n\ncurrency = 'EUR'\n" + TEXT)
        assert file.current().problems == (f"{path}, line 3: it belongs to no lot; each begins with [[lot]]",)
        assert len(tickers(file)) == 3

    def test_the_line_ends_and_the_mark_of_windows_do_not_matter(self, path: Path) -> None:
        assert written(path, "\ufeff" + TEXT.replace("\n", "\r\n")).current().problems == ()
        assert len(tickers(PositionsFile(path))) == 3

    def test_a_change_by_hand_is_seen_and_nothing_is_read_twice(self, path: Path) -> None:
        file = written(path, TEXT)
        book = file.current()
        assert file.current() is book
        path.write_text(TEXT.replace("BTC", "ETH"))
        assert tickers(file)[-1] == "ETH-USD"
        path.unlink()
        assert tickers(file) == []

    @pytest.mark.parametrize("content", [b"\xff\xfe[\x00[\x00", b"\xe9"])
    def test_other_encodings_are_refused_in_words(self, path: Path, content: bytes) -> None:
        path.write_bytes(content)
        assert PositionsFile(path).current().problems == (f"{path} is not text in UTF-8; save it as UTF-8",)

    def test_what_is_no_file_or_too_large_is_refused(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path.mkdir()
        assert "cannot be read" in PositionsFile(path).current().problems[0]
        path.rmdir()
        monkeypatch.setattr(positions_file, "_LARGEST", 100)
        assert "is not a file of at most" in written(path, TEXT).current().problems[0]

    @given(st.text(alphabet="[]lot=\"'#\n\r 1.e-{}\u2028", max_size=60))
    def test_whatever_stands_there_is_an_answer(self, text: str) -> None:
        lines = text.splitlines(keepends=True)
        for part in positions_file._parts(lines):
            with suppress(InvalidLotError, positions_file._SyntaxError):
                positions_file._lot_in(part)


class TestTrust:
    def test_one_that_others_can_write_is_not_obeyed(self, path: Path) -> None:
        file = written(path, TEXT, 0o666)
        (problem,) = file.current().problems
        assert tickers(file) == []
        assert f"others can write {path}" in problem and "chmod go-w" in problem
        with pytest.raises(PositionsError, match="is not changed because others can write"):
            file.add(parse_lot("AAPL 1 1", TODAY))
        path.chmod(0o600)
        assert len(tickers(file)) == 3

    def test_none_is_made_where_it_would_not_be(self, tmp_path: Path) -> None:
        place = tmp_path / "of all"
        place.mkdir()
        place.chmod(0o777)
        file = PositionsFile(place / "below" / "positions.toml")
        with pytest.raises(PositionsError, match="is not changed because others can write"):
            file.add(parse_lot("AAPL 1 1", TODAY))
        assert list(place.iterdir()) == []

    def test_nor_one_of_another_user(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        file = written(path, TEXT)
        if os.geteuid() == 0:
            os.chown(path, 12345, -1)
        else:
            monkeypatch.setattr(os, "geteuid", lambda: 12345)
        (problem,) = file.current().problems
        assert "is not read because" in problem and "belongs to" in problem
        assert tickers(file) == []

    def test_one_that_others_can_read_is_read_with_advice(self, path: Path) -> None:
        file = written(path, TEXT, 0o644)
        assert len(tickers(file)) == 3
        assert file.current().problems == ()
        assert file.current().advice == f"others can read {path}; run chmod 600 {path}"


class TestChanging:
    def test_the_first_lot_makes_the_file_private_and_explains_it(self, tmp_path: Path) -> None:
        path = tmp_path / "of" / "mine" / "positions.toml"
        file = PositionsFile(path)
        file.add(parse_lot("AAPL 10 150.25 2024-03-01 fees 1.5", TODAY))
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.read_text().startswith("# Your positions, a table [[lot]]")
        assert file.current().lots[0].lot == parse_lot("AAPL 10 150.25 2024-03-01 fees 1.5", TODAY)
        assert file.current().problems == ()
        file.add(parse_lot("MSFT 1 1", TODAY))
        assert tickers(file) == ["AAPL", "MSFT"]

    @pytest.mark.parametrize("end", ["\n", "\r\n"])
    def test_a_lot_is_added_below_and_nothing_else_changes(self, path: Path, end: str) -> None:
        text = TEXT.replace("\n", end)
        file = written(path, text, 0o640)
        file.add(parse_lot("MSFT 1 2.5 2024-03-01", TODAY))
        added = '[[lot]]\nticker = "MSFT"\nquantity = 1\nprice = 2.5\ndate = 2024-03-01\n'.replace("\n", end)
        assert path.read_bytes().decode() == text + end + added
        assert path.stat().st_mode & 0o777 == 0o640

    def test_after_a_line_without_an_end_too(self, path: Path) -> None:
        file = written(path, TEXT.rstrip("\n"))
        file.add(parse_lot("MSFT 1 2.5", TODAY))
        assert len(tickers(file)) == 4

    @pytest.mark.parametrize(
        ("ticker", "gone"),
        [
            ("AAPL", 'ticker = "AAPL"   # the first\nquantity = 10\nprice = 150.25\ndate = 2024-03-01\n\n'),
            ("VOD.L", 'ticker = "VOD.L"\nquantity = 1000\nprice = 90\nfees = 9.95\n\n'),
            ("BTC-USD", 'ticker = "BTC-USD"\nquantity = 0.5\nprice = 30000.0\n'),
        ],
    )
    def test_a_lot_goes_and_all_comments_stay(self, path: Path, ticker: str, gone: str) -> None:
        file = written(path, TEXT)
        file.remove(lot_of(file, ticker))
        assert ticker not in tickers(file) and len(tickers(file)) == 2
        left = path.read_text()
        kept = TEXT.replace("[[lot]]\n" + gone, "")
        assert [line for line in left.splitlines() if line] == [line for line in kept.splitlines() if line]
        for comment in ("# What I own.", "# Bought with the bonus.", "# The end."):
            assert comment in left

    def test_what_has_moved_meanwhile_is_found_and_what_has_changed_is_left(self, path: Path) -> None:
        file = written(path, TEXT)
        apple, coins = lot_of(file, "AAPL"), lot_of(file, "BTC-USD")
        path.write_text("# new\n" * 5 + TEXT.replace("0.5", "0.75"))
        with pytest.raises(PositionsError, match="has been changed meanwhile"):
            file.remove(coins)
        file.remove(apple)
        assert tickers(file) == ["VOD.L", "BTC-USD"]

    def test_of_two_alike_the_one_that_was_meant_goes(self, path: Path) -> None:
        lot = '[[lot]]\nticker = "X"\nquantity = 1\nprice = 2\n'
        file = written(path, f"# one\n{lot}\n# two\n{lot}")
        file.remove(file.current().lots[1])
        assert path.read_text().splitlines()[:2] == ["# one", "[[lot]]"]
        assert path.read_text().endswith("# two\n")

    def test_a_link_stays_one(self, tmp_path: Path) -> None:
        real = tmp_path / "real.toml"
        link = tmp_path / "positions.toml"
        written(real, TEXT)
        link.symlink_to(real)
        PositionsFile(link).add(parse_lot("MSFT 1 2.5", TODAY))
        assert link.is_symlink()
        assert "MSFT" in real.read_text()

    def test_what_cannot_be_written_is_said_and_nothing_is_lost(self, path: Path) -> None:
        file = written(path, TEXT)
        (path.parent / "positions.toml.new").mkdir()
        with pytest.raises(PositionsError, match="cannot be written"):
            file.add(parse_lot("MSFT 1 2.5", TODAY))
        assert path.read_text() == TEXT
