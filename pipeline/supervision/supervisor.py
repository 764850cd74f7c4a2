"""Runs services, restarts those that fail, and stops them in order."""

import asyncio
import logging
import random
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final, Literal

from pipeline.aio import Backoff, first_of
from pipeline.clock import Clock, SystemClock
from pipeline.config.settings import SupervisorSettings
from pipeline.contract.snapshot import ServiceState, ServiceView
from pipeline.model.outage import WaitsFor, waits_for
from pipeline.model.redaction import is_expected, sentence
from pipeline.supervision.meters import RateMeter
from pipeline.supervision.outage import Outage

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
LONG_GRACE: Final = 15.0
"""The same for one that is suspended: longer than any call of an engine takes, so that none of its writes comes after
what is done meanwhile."""
STEADY: Final = 30.0
"""Seconds after which a service that runs is well again, and no longer failing again and again."""
MIN_PAUSE: Final = 1.0
"""The least that an error may ask to be tried again after."""


class UnknownServiceError(LookupError):
    """No service has that name."""


class Context:
    """What a running service sees of its supervisor."""

    def __init__(self, service: "Service", look: Callable[[], object] = lambda: None) -> None:
        """`look` is called now and then while the service works."""
        self._service = service
        self._look = look
        self.stopping = asyncio.Event()
        """Set when the service is to end: a source at once, a consumer once its lag is zero."""
        self.hurry = False
        """With `stopping`: do not drain, the service will be back (a restart)."""

    @property
    def recovering(self) -> bool:
        """Whether the service has failed lately and has not recovered yet."""
        return self._service.failing_since is not None

    def ready(self) -> None:
        """Say that the service works now."""
        self._service.became("running" if self._service.resumed.is_set() else "paused")

    def count(self, items: int) -> None:
        """Say how many items were handled."""
        self._service.rate.add(items)

    def skip(self, items: int) -> None:
        """Say how many items were gone before it could handle them."""
        self._service.skipped += items

    @contextmanager
    def effect(self) -> Iterator[None]:
        """Around what may fail for lack of something outside: until it is done, it is not known whether all is well."""
        self._service.at_work = True
        yield
        self._service.at_work = False  # not after an exception

    async def checkpoint(self) -> None:
        """Return at once, or, while the service is paused, when it is resumed or asked to stop."""
        self._look()
        if not self._service.resumed.is_set() and not self.stopping.is_set():
            await first_of(self._service.resumed.wait(), self.stopping.wait())


Run = Callable[[Context], Awaitable[None]]


REFUSED: Final = Backoff(initial=60.0, maximum=900.0)
"""How seldom is tried again what only a person can change."""


class Service:
    """One supervised service and all that is known of it."""

    def __init__(self, name: str, role: Role, run: Run, clock: Clock) -> None:
        self.name = name
        self.role: Role = role
        self.run = run
        self.state: ServiceState = "stopped"
        self.rate = RateMeter(clock.monotonic)
        self.restarts = 0
        self.skipped = 0
        self.error: str | None = None
        self.retry_at: float | None = None
        self.failing_since: float | None = None
        self.waits_for: WaitsFor | None = None
        self.outage: Outage | None = None
        self.at_work = False
        self.resumed = asyncio.Event()
        self.resumed.set()
        self.wake = asyncio.Event()
        self.admitted = asyncio.Event()
        self.admitted.set()
        self.out = asyncio.Event()
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

    def pause(self) -> None:
        self.resumed.clear()
        if self.state == "running":
            self.became("paused")

    def resume(self) -> None:
        self.resumed.set()
        if self.state == "paused":
            self.became("running")

    def failed(self, error: Exception, text: str) -> None:
        """Note what it failed on, in words; it fails again and again unless it was well before."""
        self.look()
        self.error = text
        self.failing_since = self.failing_since or self._clock.now().timestamp()
        self.waits_for = waits_for(error)

    def look(self) -> None:
        """Note that it is well again, once it has been for a while."""
        if self._steady:
            if self.outage is not None:
                self.outage.over()
            self.forget_failures()

    def forget_failures(self) -> None:
        self.failing_since = self.waits_for = self.outage = None

    @property
    def _steady(self) -> bool:
        well = ("running", "paused", "draining", "finished", "stopped")
        return self.state in well and not self.at_work and self._clock.monotonic() - self._since_monotonic >= STEADY

    def view(self) -> ServiceView:
        self.look()
        retry_in = None if self.retry_at is None else max(0.0, self.retry_at - self._clock.monotonic())
        return ServiceView(
            name=self.name,
            role=self.role,
            state=self.state,
            rate=self.rate.per_second(),
            total=self.rate.total,
            restarts=self.restarts,
            skipped=self.skipped,
            since=self.since,
            error=self.error,
            retry_in=retry_in,
            failing_since=self.failing_since,
            waits_for=self.waits_for or "",
            spark=self.rate.history(),
        )


class Supervisor:
    """Keeps services running.

    A service that raises is started again after a backoff. The supervisor waits for what is not available outside
    (`OutsideError`, or an error that knows when to try again), however long that takes; what refuses (`permanent`)
    shows as failed, and is retried at long intervals. Any other error is a fault of our own: after more than
    `max_restarts` of them within `restart_window` seconds the service has failed, and waits for a restart. One that
    returns has finished; a restart runs it again.
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
            service.pause()
            log.info("%s is paused", service.name)
        return [service.name for service in paused]

    def resume(self, name: str | None = None) -> list[str]:
        """The opposite of `pause`.

        Raises:
            UnknownServiceError
        """
        resumed = [s for s in self._chosen(name, "producer") if not s.resumed.is_set()]
        for service in resumed:
            service.resume()
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
            service.forget_failures()
            service.wake.set()
        return [service.name for service in chosen]

    @asynccontextmanager
    async def suspended(self, roles: Collection[Role]) -> AsyncIterator[None]:
        """The services of these roles do not run meanwhile: each finishes its batch and leaves its group before, and
        starts again afterwards."""
        chosen = [service for service in self._services.values() if service.role in roles]
        log.info("suspended for a moment: %s", ", ".join(service.name for service in chosen))
        for service in chosen:
            service.admitted.clear()
            service.wake.set()
        try:
            await asyncio.gather(*(service.out.wait() for service in chosen))
            yield
        finally:
            for service in chosen:
                service.admitted.set()

    async def stop(self, timeout: float) -> bool:  # noqa: ASYNC109
        """Stop in order within `timeout` seconds; return whether everything drained in time."""
        self._stopping.set()
        deadline = self._clock.monotonic() + timeout
        drained = True
        for roles in STOP_ORDER:
            tasks = [s.task for s in self._services.values() if s.role in roles and s.task is not None]
            for service in self._services.values():
                if service.role in roles and service.context is not None:
                    if service.state in ("running", "starting", "paused"):
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

    def _look(self) -> None:
        """Note who is well again: whoever works does it for all, for some wait long for their next piece of work."""
        for service in self._services.values():
            if service.failing_since is not None:
                service.look()

    def _chosen(self, name: str | None, role: Role | None) -> list[Service]:
        if name is None:
            return [s for s in self._services.values() if role is None or s.role == role]
        if name not in self._services:
            raise UnknownServiceError(f"there is no service {name!r}; the services are {', '.join(self._services)}")
        return [self._services[name]]

    async def _supervise(self, service: Service) -> None:
        failures: deque[float] = deque()
        try:
            while not self._stopping.is_set():
                service.retry_at = None
                await self._admission(service)
                service.wake.clear()
                service.at_work = False
                if self._stopping.is_set():
                    return
                service.became("starting")
                error = await self._run_once(service)
                if error is not None:
                    service.failed(error, sentence(error, self._secrets))
                if self._stopping.is_set():
                    if error is not None:
                        log.warning("%s failed while stopping: %s", service.name, service.error)
                    return
                if error is not None and service.waits_for is not None:
                    await self._wait_out(service, error)
                elif error is not None:
                    await self._after_failure(service, failures)
                elif not service.wake.is_set():
                    service.became("finished")
                    await service.wake.wait()
                if service.wake.is_set():
                    failures.clear()  # a user has intervened; it has its full number of tries again
                    service.outage = None
                if not self._stopping.is_set():
                    service.restarts += 1
        finally:
            service.retry_at = None
            service.out.set()
            service.became("stopped")

    async def _admission(self, service: Service) -> None:
        """Wait until the service may run, should it be suspended."""
        if not service.admitted.is_set():
            service.became("suspended")
            service.out.set()
            await first_of(service.admitted.wait(), self._stopping.wait())
            service.out.clear()

    async def _after_failure(self, service: Service, failures: deque[float]) -> None:
        """Wait until the service is to be tried again."""
        now = self._clock.monotonic()
        failures.append(now)
        while failures[0] <= now - self._settings.restart_window:
            failures.popleft()
        if len(failures) > self._settings.max_restarts:
            await self._give_up(service)
        else:
            delay = self._backoff.delay(len(failures), self._rng)
            log.warning("%s failed, next try in %.1f s: %s", service.name, delay, service.error)
            await self._pause(service, delay, "backing off")

    async def _wait_out(self, service: Service, error: Exception) -> None:
        """Wait until it is time to see whether what is outside is back, or lets us in."""
        service.outage = outage = service.outage or Outage(service.name, self._clock)
        outage.tries += 1
        refused = getattr(error, "permanent", False)
        asked = getattr(error, "retry_after", None)
        if refused:
            delay = max(REFUSED.delay(outage.tries, self._rng), asked or 0.0)
        else:
            delay = self._backoff.delay(outage.tries, self._rng) if asked is None else max(MIN_PAUSE, asked)
        outage.failed(str(service.waits_for), str(service.error), delay, refused=refused)
        await self._pause(service, delay, "failed" if refused else "backing off")

    async def _pause(self, service: Service, delay: float, state: ServiceState) -> None:
        """Wait until the delay is over, or the service is restarted."""
        service.retry_at = self._clock.monotonic() + delay
        service.became(state)
        await first_of(service.wake.wait(), self._clock.sleep(delay))

    async def _give_up(self, service: Service) -> None:
        """Wait until the service is restarted."""
        service.became("failed")
        log.error("%s has failed and is not tried again until it is restarted: %s", service.name, service.error)
        await service.wake.wait()

    async def _run_once(self, service: Service) -> Exception | None:
        """Run until it returns, raises, or is to be restarted."""
        service.context = context = Context(service, self._look)
        task = asyncio.ensure_future(service.run(context))
        waker = asyncio.create_task(service.wake.wait())
        try:
            await asyncio.wait((task, waker), return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                context.hurry = not self._stopping.is_set()
                context.stopping.set()
                grace = GRACE if service.admitted.is_set() else LONG_GRACE
                await asyncio.wait((task,), timeout=grace if context.hurry else None)
                if not task.done():
                    log.warning("%s did not finish its batch in %g s and is cancelled", service.name, grace)
        finally:
            for pending in (task, waker):
                pending.cancel()
            await asyncio.gather(task, waker, return_exceptions=True)
            service.context = None
        if task.cancelled():
            return None
        error = task.exception()
        if error is None:
            service.error = None
            service.forget_failures()
            return None
        if not isinstance(error, Exception):
            raise error
        if waits_for(error) is None and not is_expected(error):
            log.error("%s raised an unexpected error", service.name, exc_info=error)
        return error
