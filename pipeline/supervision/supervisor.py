"""Runs services, restarts those that fail, and stops them in order."""

import asyncio
import logging
import random
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Final, Literal

from pipeline.clock import Clock, SystemClock
from pipeline.logs import redact
from pipeline.meters import Rate
from pipeline.settings import SupervisorSettings
from pipeline.snapshot import ServiceState, ServiceView
from pipeline.text import clean

log = logging.getLogger(__name__)

Role = Literal["producer", "loader", "claims", "processor", "sink", "view"]

# What feeds others stops before what it feeds, and whoever works on something before it is handed on.
STOP_ORDER: Final[tuple[tuple[Role, ...], ...]] = (
    ("producer", "loader"),
    ("claims",),
    ("processor",),
    ("sink",),
    ("view",),
)
GRACE: Final = 5.0
"""Seconds that a service has to finish its batch when it is restarted."""
STEADY: Final = 30.0
"""Seconds after which a service that runs is well again, and no longer failing again and again."""
MIN_PAUSE: Final = 1.0
"""The least that an error may ask to be tried again after."""


class UnknownServiceError(LookupError):
    """No service has that name."""


class Context:
    """What a running service sees of its supervisor."""

    def __init__(self, service: "Service") -> None:
        self._service = service
        self.stopping = asyncio.Event()
        """Set when the service shall come to its end: a source at once, a consumer once its lag is zero."""
        self.hurry = False
        """With `stopping`: do not drain, the service will be back (a restart)."""

    def ready(self) -> None:
        """Say that the service works now."""
        self._service.became("running")

    def count(self, items: int) -> None:
        """Say how many items were handled."""
        self._service.rate.add(items)

    def skip(self, items: int) -> None:
        """Say how many items were gone before it could handle them."""
        self._service.skipped += items

    async def checkpoint(self) -> None:
        """Return at once, or, while the service is paused, when it is resumed or shall stop."""
        service = self._service
        if service.resumed.is_set() or self.stopping.is_set():
            return
        before, service.state = service.state, "paused"
        await first_of(service.resumed.wait(), self.stopping.wait())
        if service.state == "paused":
            service.state = before


Run = Callable[[Context], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential; each delay is somewhere between half and the whole of its step."""

    initial: float
    maximum: float

    def delay(self, failures: int, rng: random.Random | None = None) -> float:
        """Seconds to wait after the given number of failures in a row (at least 1)."""
        step = min(self.maximum, self.initial * 2.0 ** min(failures - 1, 62))
        return step * (rng or random).uniform(0.5, 1.0)


class Service:
    """One supervised service and all that is known of it."""

    def __init__(self, name: str, role: Role, run: Run, clock: Clock) -> None:
        self.name = name
        self.role: Role = role
        self.run = run
        self.state: ServiceState = "stopped"
        self.rate = Rate(clock.monotonic)
        self.restarts = 0
        self.skipped = 0
        self.error: str | None = None
        self.retry_at: float | None = None
        self.failing_since: float | None = None
        self.resumed = asyncio.Event()
        self.resumed.set()
        self.wake = asyncio.Event()
        self.context: Context | None = None
        self.task: asyncio.Task[None] | None = None
        self._clock = clock
        self.since = clock.now().timestamp()
        self._since_monotonic = clock.monotonic()

    def became(self, state: ServiceState) -> None:
        if state != self.state:
            self.state = state
            self.since = self._clock.now().timestamp()
            self._since_monotonic = self._clock.monotonic()
            log.debug("%s is %s", self.name, state)

    def failed(self, error: str) -> None:
        """Note what it failed on; it fails again and again unless it was well before."""
        if self._steady:
            self.failing_since = None
        self.error = error
        self.failing_since = self.failing_since or self._clock.now().timestamp()

    @property
    def _steady(self) -> bool:
        well = ("running", "draining", "finished", "stopped")
        return self.state in well and self._clock.monotonic() - self._since_monotonic >= STEADY

    def view(self) -> ServiceView:
        retry_in = None if self.retry_at is None else max(0.0, self.retry_at - self._clock.monotonic())
        return ServiceView(
            name=self.name,
            role=self.role,
            state="paused" if self.state == "running" and not self.resumed.is_set() else self.state,
            rate=self.rate.per_second(),
            total=self.rate.total,
            restarts=self.restarts,
            skipped=self.skipped,
            since=self.since,
            error=self.error,
            retry_in=retry_in,
            failing_since=None if self._steady else self.failing_since,
            spark=self.rate.history(),
        )


class Supervisor:
    """Keeps services running.

    A service that raises is started again after a backoff; one that raises more than `max_restarts` times within
    `restart_window` seconds, or an error that says it is `permanent`, has failed and waits for a restart. An error
    that knows when to try again (`retry_after`, in seconds) is no such failure: it is waited for, however often. One
    that returns has finished; a restart runs it again.
    """

    def __init__(
        self,
        settings: SupervisorSettings,
        clock: Clock | None = None,
        rng: random.Random | None = None,
        secrets: Iterable[str] = (),
    ) -> None:
        self._settings = settings
        self._backoff = Backoff(settings.backoff_initial, settings.backoff_max)
        self._clock = clock or SystemClock()
        self._rng = rng or random.Random()
        self._secrets = list(secrets)
        self._services: dict[str, Service] = {}
        self._stopping = asyncio.Event()

    def add(self, name: str, role: Role, run: Run) -> None:
        """Add a service; it starts at once."""
        service = Service(name, role, run, self._clock)
        self._services[name] = service
        service.task = asyncio.create_task(self._supervise(service), name=name)

    @property
    def services(self) -> list[Service]:
        return list(self._services.values())

    def views(self) -> list[ServiceView]:
        return [service.view() for service in self._services.values()]

    def pause(self, name: str | None = None) -> list[str]:
        """Pause one service, or all producers; return the names of those that were not paused yet.

        Raises:
            UnknownServiceError
        """
        paused = [s for s in self._chosen(name, "producer") if s.resumed.is_set()]
        for service in paused:
            service.resumed.clear()
            log.info("%s is paused", service.name)
        return [service.name for service in paused]

    def resume(self, name: str | None = None) -> list[str]:
        """The opposite of `pause`.

        Raises:
            UnknownServiceError
        """
        resumed = [s for s in self._chosen(name, "producer") if not s.resumed.is_set()]
        for service in resumed:
            service.resumed.set()
            log.info("%s is resumed", service.name)
        return [service.name for service in resumed]

    def retry_failed(self, role: Role) -> None:
        """Give the services of a role that have failed another try, for what they failed on has changed."""
        for service in self._chosen(None, role):
            if service.state == "failed":
                service.wake.set()

    @property
    def paused(self) -> bool:
        """Whether all producers are paused."""
        producers = [s for s in self._services.values() if s.role == "producer"]
        return bool(producers) and all(not s.resumed.is_set() for s in producers)

    def restart(self, name: str | None = None) -> list[str]:
        """Restart one service, or all; return their names. Does not wait.

        Raises:
            UnknownServiceError
        """
        chosen = self._chosen(name, None)
        for service in chosen:
            log.info("%s is restarted on request", service.name)
            service.failing_since = None
            service.wake.set()
        return [service.name for service in chosen]

    async def stop(self, timeout: float) -> bool:  # noqa: ASYNC109
        """Stop in order within `timeout` seconds; return whether everything drained in time."""
        self._stopping.set()
        deadline = self._clock.monotonic() + timeout
        drained = True
        for roles in STOP_ORDER:
            tasks = [s.task for s in self._services.values() if s.role in roles and s.task is not None]
            for service in self._services.values():
                if service.role in roles and service.context is not None:
                    if service.state in ("running", "starting"):
                        service.became("draining")
                    service.context.stopping.set()
                if service.role in roles:
                    service.wake.set()
            if tasks:
                _, late = await asyncio.wait(tasks, timeout=max(0.0, deadline - self._clock.monotonic()))
                for task in late:
                    log.warning("%s did not stop in time; what it had not committed is done again", task.get_name())
                    task.cancel()
                    drained = False
                await asyncio.gather(*tasks, return_exceptions=True)
        # One whose last run failed, before its turn or while draining, has left something behind.
        return drained and not any(s.error for s in self._services.values() if s.role in ("processor", "sink"))

    def _chosen(self, name: str | None, role: Role | None) -> list[Service]:
        if name is None:
            return [s for s in self._services.values() if role is None or s.role == role]
        if name not in self._services:
            raise UnknownServiceError(f"there is no service {name!r}; there are {', '.join(self._services)}")
        return [self._services[name]]

    async def _supervise(self, service: Service) -> None:
        failures: deque[float] = deque()
        try:
            while not self._stopping.is_set():
                service.wake.clear()
                service.retry_at = None
                service.became("starting")
                error = await self._run_once(service)
                if error is not None:
                    service.failed(sentence(error, self._secrets))
                if self._stopping.is_set():
                    if error is not None:
                        log.warning("%s failed while stopping: %s", service.name, service.error)
                    return
                if error is not None and getattr(error, "permanent", False):
                    await self._give_up(service)
                elif error is not None and (pause := getattr(error, "retry_after", None)) is not None:
                    await self._back_off(service, max(MIN_PAUSE, pause))
                elif error is not None:
                    await self._after_failure(service, failures)
                elif not service.wake.is_set():
                    service.became("finished")
                    await service.wake.wait()
                if service.wake.is_set():
                    failures.clear()  # somebody looked at it; it has its full number of tries again
                if not self._stopping.is_set():
                    service.restarts += 1
        finally:
            service.retry_at = None
            service.became("stopped")

    async def _after_failure(self, service: Service, failures: deque[float]) -> None:
        """Wait until the service shall be tried again."""
        now = self._clock.monotonic()
        failures.append(now)
        while failures[0] <= now - self._settings.restart_window:
            failures.popleft()
        if len(failures) > self._settings.max_restarts:
            await self._give_up(service)
        else:
            await self._back_off(service, self._backoff.delay(len(failures), self._rng))

    async def _back_off(self, service: Service, delay: float) -> None:
        """Wait until the delay is over, or somebody restarts the service."""
        service.retry_at = self._clock.monotonic() + delay
        service.became("backing off")
        log.warning("%s failed, next try in %.1f s: %s", service.name, delay, service.error)
        await first_of(service.wake.wait(), self._clock.sleep(delay))

    async def _give_up(self, service: Service) -> None:
        """Wait until somebody restarts the service."""
        service.became("failed")
        log.error("%s has failed and is not tried again until it is restarted: %s", service.name, service.error)
        await service.wake.wait()

    async def _run_once(self, service: Service) -> Exception | None:
        """Run until it returns, raises, or is to be restarted."""
        service.context = context = Context(service)
        task = asyncio.ensure_future(service.run(context))
        waker = asyncio.create_task(service.wake.wait())
        try:
            await asyncio.wait((task, waker), return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                context.hurry = not self._stopping.is_set()
                context.stopping.set()
                await asyncio.wait((task,), timeout=GRACE if context.hurry else None)
                if not task.done():
                    log.warning("%s did not finish its batch in %g s and is cancelled", service.name, GRACE)
        finally:
            for pending in (task, waker):
                pending.cancel()
            await asyncio.gather(task, waker, return_exceptions=True)
            service.context = None
        if task.cancelled():
            return None
        error = task.exception()
        if error is None:
            service.error = service.failing_since = None
            return None
        if not isinstance(error, Exception):
            raise error
        if not _expected(error):
            log.error("%s raised an unexpected error", service.name, exc_info=error)
        return error


async def first_of(*awaitables: Awaitable[object]) -> None:
    """Wait for the first of them, cancel the others, and raise what the first raised."""
    tasks = [asyncio.ensure_future(awaitable) for awaitable in awaitables]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _expected(error: Exception) -> bool:
    """Whether it is one of the pipeline's own errors, whose message is a sentence for the user."""
    return type(error).__module__.startswith("pipeline.")


def sentence(error: Exception, secrets: Iterable[str] = ()) -> str:
    """What may be shown of an error: no secrets, no control characters."""
    text = str(error) if _expected(error) else ": ".join(filter(None, (type(error).__name__, str(error))))
    return clean(redact(text, secrets))
