"""How topics are divided among the members of a group."""

from hypothesis import given
from hypothesis import strategies as st

from pipeline.bus.kafka.assignment import divide

TOPICS = st.frozensets(st.sampled_from([f"t{n}" for n in range(9)]))
GROUPS = st.dictionaries(st.sampled_from("abcde"), TOPICS, max_size=5)


@given(GROUPS, GROUPS)
def test_each_topic_goes_to_one_of_those_that_claim_it(
    claims: dict[str, frozenset[str]], held: dict[str, frozenset[str]]
) -> None:
    shares = divide(claims, held)
    assert shares.keys() == claims.keys()
    assert sorted(topic for share in shares.values() for topic in share) == sorted(frozenset().union(*claims.values()))
    assert all(share <= claims[member] for member, share in shares.items())


@given(GROUPS, GROUPS)
def test_what_is_settled_stays(claims: dict[str, frozenset[str]], held: dict[str, frozenset[str]]) -> None:
    settled = divide(claims, held)
    assert divide(claims, settled) == settled


@given(st.frozensets(st.sampled_from("abcde"), min_size=2), TOPICS)
def test_equals_share_equally_and_a_leaver_moves_only_its_own(members: frozenset[str], topics: frozenset[str]) -> None:
    shares = divide(dict.fromkeys(members, topics), {})
    sizes = [len(share) for share in shares.values()]
    assert max(sizes) - min(sizes) <= 1
    rest = sorted(members)[1:]
    after = divide(dict.fromkeys(rest, topics), shares)
    assert all(after[member] >= shares[member] for member in rest)


@given(st.frozensets(st.sampled_from("abcde"), min_size=1), TOPICS)
def test_a_joiner_is_given_its_part_and_nothing_else_moves(members: frozenset[str], topics: frozenset[str]) -> None:
    before = divide(dict.fromkeys(members, topics), {})
    after = divide(dict.fromkeys([*members, "new"], topics), before)
    assert len(after["new"]) == len(topics) // (len(members) + 1)
    assert all(after[member] <= before[member] for member in members)


def test_those_with_claims_of_their_own_keep_them() -> None:
    claims = {"a": ["x", "y", "z"], "b": ["y"]}
    assert divide(claims, {"a": ["x", "y", "z"]}) == {"a": {"x", "z"}, "b": {"y"}}


def test_of_two_that_say_they_hold_a_topic_one_does() -> None:
    claims = {"a": ["x"], "b": ["x"]}
    assert divide(claims, {"a": ["x"], "b": ["x"]}) == {"a": {"x"}, "b": set()}
