"""What the doctor checks of a provider that limits requests: from what the last runs remember, for asking costs one."""

from datetime import datetime

from pipeline.clock import Clock
from pipeline.config.settings import Loaded
from pipeline.doctor.finding import Finding, fault, ok, warning


def alpha_vantage(loaded: Loaded, clock: Clock) -> list[Finding]:
    """The key, today's budget and the plan; asks nothing and writes nothing."""
    settings = loaded.settings
    options = settings.alpha_vantage
    if not options.api_key:
        return []  # what it would take is said with the sources
    from pipeline.sources.alpha_vantage import budget_of, memory_of  # slow to import, and needed with a key only

    budget, memory = (
        budget_of(options, loaded.data_dir, clock),
        memory_of(options, loaded.data_dir / settings.pipeline.namespace),
    )
    facts = memory.facts
    if facts.key_refused:
        what = f"Alpha Vantage refused the API key on {_day(facts.key_refused)}"
        fix = "export ALPHA_VANTAGE_API_KEY=… (free at https://www.alphavantage.co/support/#api-key)"
        return [fault(what, "it is mistyped, expired, or the key demo", fix)]
    seen = "an Alpha Vantage key is configured" + (
        "" if facts.known.asked else "; the first request shows whether it is valid"
    )
    findings = [ok(seen)]
    of = "" if budget.per_day is None else f" of {budget.per_day}"
    used = f"{budget.used}{of} Alpha Vantage requests are used today"
    if budget.refused:
        cause = "it reports that the daily limit is reached; another program may use the key, or the key is not yours"
        fix = f"none needed: requests resume at {budget.next_day:%H:%M %Z}; if they do not, check the key"
        findings.append(warning(used, cause, fix))
    elif budget.left == 0:
        cause = f"the budget of the {options.plan} plan is spent"
        findings.append(warning(used, cause, f"none needed: requests resume at {budget.next_day:%H:%M %Z}"))
    else:
        findings.append(ok(used))
    learnt = memory.lacking(clock.now())
    if learnt and options.plan == "premium":
        cause = f"the provider refused {', '.join(sorted(learnt))}, which is tried again after a week"
        findings.append(warning("the Alpha Vantage plan includes less than configured", cause, 'set plan = "free"'))
    findings += [
        warning(f"Alpha Vantage knows no symbol {ticker}", "a typing error?", f"fintrends-tui remove {ticker}")
        for ticker in sorted(memory.unknown(clock.now()))
    ]
    return findings


def _day(at: float) -> str:
    return f"{datetime.fromtimestamp(at).astimezone():%Y-%m-%d %H:%M}"
