from pathlib import Path

from pipeline.doctor.finding import ok, warning
from pipeline.doctor.positions import positions

LOT = '[[lot]]\nticker = "AAPL"\nquantity = 10\nprice = 100\n'


def test_without_a_file_there_is_nothing_to_say(tmp_path: Path) -> None:
    assert [*positions(None), *positions(tmp_path / "positions.toml")] == []


def test_lots_mistakes_and_readers_are_told(tmp_path: Path) -> None:
    path = tmp_path / "positions.toml"
    path.write_text(f"{LOT}\n{LOT.replace('quantity', 'qty')}")
    path.chmod(0o644)
    assert [*positions(path)] == [
        ok(f"{path} has 1 of your lots"),
        warning(
            "not all positions are counted",
            f"{path}, line 8: 'qty' is not known; known are ticker, quantity, price, date, fees, currency; "
            "this lot is left out",
            "correct it in the file; it is read again at once",
        ),
        warning("your positions are not private", f"others can read {path}", f"run chmod 600 {path}"),
    ]
