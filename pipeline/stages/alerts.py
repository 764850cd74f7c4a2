"""The alert stage checks the latest values against the user's rules, and reports what fires."""

import asyncio
import contextlib
import logging
import os
import signal
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from pipeline.aio import first_of
from pipeline.clock import Clock, SystemClock
from pipeline.config.settings import SECRET_ENV, AlertSettings
from pipeline.contract.alerts import sentence_of
from pipeline.contract.snapshot import MAX_ALERTS, AlertView, RuleView
from pipeline.model.alert_rules import Alert, Alerts, InvalidRuleError, Rule, parse_rule
from pipeline.model.text import clean
from pipeline.storage.statefile import StateFile
from pipeline.supervision.supervisor import Context

log = logging.getLogger(__name__)

PERIOD: Final = 0.5
HISTORY: Final = 500
COMMAND_SECONDS: Final = 30.0
_WAITING: Final = 100

Values = Mapping[str, float | None]
Look = Callable[[], Mapping[str | None, Values]]
"""The values of every watched ticker, and of the pipeline (None), by the names of `pipeline.model.alert_rules`."""


class _Memory(msgspec.Struct, kw_only=True):
    """The rules from the screen, which outlive the process."""

    rules: list[str] = []


class Fired(msgspec.Struct, kw_only=True):
    """What has fired, and the history, oldest first: both are about the data of one namespace."""

    fired: list[tuple[str, str | None]] = []
    sources: dict[str, str] = {}
    history: list[AlertView] = []


class AlertStage:
    """Looks twice a second; what crosses and comes back between two looks is not seen. Both files outlive the process:
    `file` keeps the rules, `fired` what came of them. `source_of` says whose figures of a ticker the values are."""

    def __init__(
        self,
        settings: AlertSettings,
        look: Look,
        file: Path,
        fired: Path,
        clock: Clock | None = None,
        source_of: Callable[[str], str | None] = lambda _: None,
    ) -> None:
        self._settings = settings
        self._look = look
        self._source_of = source_of
        self._memory = StateFile(file, _Memory)
        self._past = StateFile(fired, Fired)
        self._clock = clock or SystemClock()
        self._configured = [parse_rule(rule) for rule in settings.rules]
        memory = self._memory.load() or _Memory()
        past = self._past.load() or Fired()
        known = self._understood(self._memory, memory.rules)
        rules = [*self._configured, *(known[rule] for rule in memory.rules if rule in known)]
        known = self._understood(self._past, [rule for rule, _ in past.fired])
        fired_rules = ((known[rule], ticker) for rule, ticker in past.fired if rule in known)
        self._alerts = Alerts(rules, settings.hysteresis, fired_rules, past.sources)
        self.history = deque(past.history, maxlen=HISTORY)
        self._seq = self.history[-1].seq if self.history else 0
        self._waiting: set[Rule] = set()
        self._commands: asyncio.Queue[AlertView] = asyncio.Queue(_WAITING)

    async def run(self, context: Context) -> None:
        context.ready()
        runner = asyncio.create_task(self._run_commands())
        try:
            while not context.stopping.is_set():
                context.count(self._look_once())
                await first_of(context.stopping.wait(), self._clock.sleep(PERIOD))
        finally:
            runner.cancel()
            await asyncio.gather(runner, return_exceptions=True)

    def add(self, text: str) -> str:
        """Watch by one more rule; the rule as it was understood.

        Raises:
            InvalidRuleError
        """
        rule = parse_rule(text)
        if self._alerts.add(rule):
            log.info("alerting on %s", rule)
            self._remember()
        return str(rule)

    def remove(self, text: str) -> str:
        """Forget a rule; the rule as it was understood.

        Raises:
            InvalidRuleError
        """
        rule = parse_rule(text)
        if self._alerts.remove(rule):
            log.info("no longer alerting on %s", rule)
            self._remember()
        return str(rule)

    def rules(self) -> list[RuleView]:
        """All rules, and for whom each has fired."""
        return [
            RuleView(
                rule=str(rule),
                origin="config" if rule in self._configured else "screen",
                fired=sorted(ticker or "" for other, ticker in self._alerts.fired if other == rule),
            )
            for rule in self._alerts.rules
        ]

    def latest(self) -> list[AlertView]:
        """The newest alerts, oldest first."""
        return list(self.history)[-MAX_ALERTS:]

    def _understood(self, file: StateFile[Any], remembered: Sequence[str]) -> dict[str, Rule]:
        """The rules that can be read; one that cannot costs none of the others, and is kept in the file set aside."""
        known: dict[str, Rule] = {}
        for text in dict.fromkeys(remembered):
            try:
                known[text] = parse_rule(text)
            except InvalidRuleError as error:
                file.distrust(f"and the rule {clean(text, 200)!r} is left out", error)
        return known

    def _look_once(self) -> int:
        """The number of alerts."""
        if not self._alerts.rules:
            return 0
        before = set(self._alerts.fired)
        seen = self._look()
        self._alerts.keep(ticker for ticker in seen if ticker is not None)
        self._tell_waiting(seen.keys())
        alerts: list[Alert] = []
        for ticker, values in seen.items():
            source = None if ticker is None else self._source_of(ticker)
            alerts += self._alerts.observe(ticker, values, source)
        for alert in alerts:
            self._tell(alert)
        if self._alerts.fired != before:
            self._remember()
        return len(alerts)

    def _tell_waiting(self, watched: Collection[str | None]) -> None:
        """A rule of a ticker that is not watched cannot fire: say so once, and again if it was watched meanwhile."""
        waiting = {rule for rule in self._alerts.rules if rule.ticker not in (None, *watched)}
        for rule in self._alerts.rules:
            if rule in waiting - self._waiting:
                log.warning("the alert rule %s cannot fire: %s is not watched; add it", rule, rule.ticker)
        self._waiting = waiting

    def _tell(self, alert: Alert) -> None:
        self._seq += 1
        view = AlertView(
            seq=self._seq,
            at=self._clock.now().timestamp(),
            rule=str(alert.rule),
            ticker=alert.ticker or "",
            metric=alert.rule.metric,
            value=alert.value,
        )
        self.history.append(view)
        log.warning("alert: %s", sentence_of(view, private=True))
        if self._settings.command:
            try:
                self._commands.put_nowait(view)
            except asyncio.QueueFull:
                log.error("the alert command is not run for %s: %d wait for it already", view.rule, _WAITING)

    def _remember(self) -> None:
        self._memory.save(_Memory(rules=[str(rule) for rule in self._alerts.rules if rule not in self._configured]))
        self._past.save(
            Fired(
                fired=[(str(rule), ticker) for rule, ticker in self._alerts.fired],
                sources={
                    ticker: self._alerts.sources[ticker]
                    for ticker in sorted({ticker for _, ticker in self._alerts.fired if ticker is not None})
                    if ticker in self._alerts.sources
                },
                history=list(self.history),
            )
        )

    async def _run_commands(self) -> None:
        while True:
            await run_command(self._settings.command, await self._commands.get(), self._clock)


async def run_command(command: Sequence[str], alert: AlertView, clock: Clock) -> None:
    """Run the user's program for an alert: no shell, none of our secrets, at most 30 seconds. Failures are logged."""
    rule = parse_rule(alert.rule)
    environment = {name: value for name, value in os.environ.items() if name.upper() not in SECRET_ENV} | {
        "FINTRENDS_ALERT": sentence_of(alert),
        "FINTRENDS_ALERT_RULE": alert.rule,
        "FINTRENDS_ALERT_TICKER": alert.ticker,
        "FINTRENDS_ALERT_METRIC": alert.metric,
        "FINTRENDS_ALERT_VALUE": repr(alert.value),
        "FINTRENDS_ALERT_THRESHOLD": repr(rule.threshold),
        "FINTRENDS_ALERT_AT": repr(alert.at),
    }
    nothing = asyncio.subprocess.DEVNULL
    try:
        process = await asyncio.create_subprocess_exec(
            *command, stdin=nothing, stdout=nothing, stderr=nothing, env=environment, start_new_session=True
        )
    except (OSError, ValueError) as error:
        log.error("the alert command %s cannot be run: %s", command[0], error)
        return
    ended = asyncio.create_task(process.wait())
    try:
        await first_of(asyncio.shield(ended), clock.sleep(COMMAND_SECONDS))
        if not ended.done():
            log.error("the alert command %s took longer than %g s and is ended", command[0], COMMAND_SECONDS)
        elif process.returncode:
            log.error("the alert command %s ended with status %d", command[0], process.returncode)
    finally:
        # The whole session it leads: a script's own children must not outlive it either.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await ended
