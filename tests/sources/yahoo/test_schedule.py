"""Who is asked for next. Pure."""

from itertools import pairwise

from pipeline.sources.yahoo.schedule import MAX_AGE, Schedule

RATE = 0.5
"""Seconds from one request to the next."""


def test_three_hundred_tickers_each_have_their_turn() -> None:
    schedule, now, asked = Schedule(60.0), 0.0, list[tuple[float, str, str]]()
    tickers = [f"T{number}" for number in range(300)]
    schedule.watch(tickers)
    while now < 600:
        question, _ = schedule.next("T250", now)
        if question is not None:
            schedule.answered(question, now)
            asked.append((now, question.ticker, question.kind))
        now += RATE
    assert asked[0][1] == "T250"
    lives = {ticker: [at for at, of, kind in asked if (of, kind) == (ticker, "live")] for ticker in tickers}
    assert max(times[0] for times in lives.values()) < 300 * RATE * 1.2, "all have a price once as many could be asked"
    gaps = [b - a for times in lives.values() for a, b in pairwise(times)]
    assert min(gaps) >= MAX_AGE
    assert max(gaps) < 2 * 300 * RATE * 1.2, "nobody starves, with the daily bars in between"
    assert {of for _, of, kind in asked if kind == "daily"} == set(tickers)


def test_no_ticker_is_asked_two_questions_at_once() -> None:
    schedule = Schedule(60.0)
    schedule.watch(["A"])
    question, _ = schedule.next(None, 0.0)
    assert question is not None
    schedule.asking(question)
    assert schedule.next(None, 1000.0)[0] is None
    schedule.asking(question, False)
    assert schedule.next(None, 0.0)[0] == question


def test_what_is_said_of_a_ticker_that_has_gone_is_nothing() -> None:
    schedule = Schedule(60.0)
    schedule.watch(["A"])
    question, _ = schedule.next(None, 0.0)
    assert question is not None
    schedule.watch([])
    schedule.answered(question, 0.0)
    schedule.put_off(question, 0.0, 1.0)
    schedule.again("A", [], 0.0)
    schedule.daily_at("A", 0.0)
    assert schedule.next(None, 0.0)[0] is None


def test_the_period_is_never_shorter_than_replies_are_kept() -> None:
    schedule = Schedule(0.001)
    schedule.watch(["A"])
    question, _ = schedule.next(None, 0.0)
    assert question is not None
    schedule.answered(question, 0.0)
    daily, _ = schedule.next(None, 0.0)
    assert daily is not None
    schedule.answered(daily, 0.0)
    assert schedule.next(None, 0.0) == (None, MAX_AGE)
