"""What the answers and the refusals of a provider teach, and what they must not."""

from tests.fake_provider import Bench, new_york

DAY, NEXT = "2026-03-04", "2026-03-05"


async def test_a_row_that_does_not_fit_says_nothing_of_how_new_the_data_are(tmp_path):
    bench = Bench(new_york(DAY, "10:00"), tmp_path, plan="premium")
    bench.provider.unfit = {"news", "economic"}
    bench.watchlist.add(["AAPL"])
    await bench.day(new_york(DAY, "10:05"))
    assert {"news", "economic"} <= {asked.kind for asked in bench.asked}
    known = bench.desk.memory.facts.known
    assert [key for key in known.newest if key.startswith(("news", "economic"))] == []
    bench.provider.unfit = set()
    await bench.day(new_york("2026-03-06"))
    again = [a for a in bench.asked if a.subjects == ("CPI",) and a.at > new_york(DAY, "10:05")]
    assert again  # not in two months, as after a value of today
