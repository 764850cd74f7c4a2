"""What a user of the command line is shown of a plan, and asked."""

from pipeline.contract.plans import Plan, described, question
from pipeline.system import streams


def ends_with(plan: Plan, *, dry_run: bool, yes: bool) -> int | None:
    """Show the plan, and ask whether to carry it out unless that was said already (`yes`). The exit status of a command
    that ends here, for only showing was wanted, there is nothing to do, or it was not approved; None to go on."""
    lines = described(plan)
    if dry_run or not plan.does_anything or plan.obstacle:
        print(*lines, sep="\n")
        return 1 if plan.obstacle and not dry_run else 0
    return None if streams.approved(lines, question(plan), yes=yes) else 1
