"""Which member of a group holds which topic: spread evenly, with as few moves as possible."""

from collections.abc import Collection, Mapping


def divide(claims: Mapping[str, Collection[str]], held: Mapping[str, Collection[str]]) -> dict[str, set[str]]:
    """Give each claimed topic to one of the members that claim it.

    `claims` and `held` are topics by member. A topic stays with a member that holds and claims it; one that nobody
    holds goes to the claimant with the fewest; then topics move as long as one move makes two members more equal.
    Members that claim the same end up with numbers that differ by at most one. Every member is in the result, which
    depends on nothing but the arguments.
    """
    members = sorted(claims)
    shares: dict[str, set[str]] = {member: set() for member in members}
    claimants = {topic: [m for m in members if topic in claims[m]] for topic in sorted(set().union(*claims.values()))}

    def least(topic: str) -> str:
        return min(claimants[topic], key=lambda member: len(shares[member]))

    free = []
    for topic, candidates in claimants.items():
        # Two may say that they hold it: one was away for so long that it was given to the other.
        holder = next((member for member in candidates if topic in held.get(member, ())), None)
        if holder is None:
            free.append(topic)
        else:
            shares[holder].add(topic)
    for topic in sorted(free, key=lambda topic: len(claimants[topic])):  # those with little choice first
        shares[least(topic)].add(topic)
    while move := next(
        (
            (topic, giver, taker)
            for giver in sorted(members, key=lambda member: -len(shares[member]))
            for topic in sorted(shares[giver])
            if len(shares[taker := least(topic)]) + 1 < len(shares[giver])
        ),
        None,
    ):
        topic, giver, taker = move
        shares[giver].remove(topic)
        shares[taker].add(topic)
    return shares
