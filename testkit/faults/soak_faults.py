"""What happens to a pipeline in a soak, and when."""

import asyncio
import random
import signal
from collections.abc import Callable, Sequence
from operator import itemgetter

from pipeline.config.settings import KafkaSettings
from pipeline.contract.protocol import (
    Add,
    Command,
    GetHistory,
    GetLog,
    GetMessages,
    GetSnapshot,
    GetTopics,
    Pause,
    Remove,
    Restart,
    Resume,
)
from pipeline.contract.snapshot import Snapshot
from pipeline.model.topics import STOCK_DATA, topic_for
from testkit.engines.cluster import KafkaCluster, KafkaNode
from testkit.faults import faults as engine_faults
from testkit.faults.on_engines import missed
from testkit.faults.outside import FULL, GARBAGE, HALF, TOO_LONG, UNLIMITED, clients, limit_files
from testkit.faults.soaking import Fault, Soak
from testkit.faults.watching import STOP_SECONDS, watch

_FROZEN_SECONDS = (2.0, 5.0)
_GONE_SECONDS = 15.0
"""More than the nine after which a cluster gives a broker up."""
_FULL_SECONDS = (1.0, 2.0)
"""Beyond the moment at which the pipeline says so."""


async def _kill(soak: Soak) -> None:
    soak.process.kill()
    await soak.ended()
    await soak.start_again()


async def _terminate(soak: Soak) -> None:
    soak.process.terminate()
    assert await soak.ended() == 0
    await soak.start_again()


async def _freeze(soak: Soak) -> None:
    soak.process.send_signal(signal.SIGSTOP)
    try:
        await asyncio.sleep(soak.rng.uniform(*_FROZEN_SECONDS))
    finally:
        soak.process.send_signal(signal.SIGCONT)


async def _fill_disk(soak: Soak) -> None:
    limit_files(soak.process, FULL)
    try:
        await soak.told(lambda snapshot: any("disk" in (s.error or "") for s in snapshot.services if s.retry_in))
        await asyncio.sleep(soak.rng.uniform(*_FULL_SECONDS))
    finally:
        limit_files(soak.process, UNLIMITED)


async def _visit(soak: Soak) -> None:
    """A second screen, that is killed, hung up on or left."""
    terminal = soak.attach(columns=80, lines=24)
    try:
        await asyncio.to_thread(terminal.wait_for, lambda text: soak.recording.tickers[0] in text and "▶" in text)
        match soak.rng.choice(["killed", "hung up", "left"]):
            case "killed":
                terminal.process.kill()
            case "hung up":
                terminal.hang_up()
                await asyncio.to_thread(terminal.process.wait, STOP_SECONDS)
            case _:
                terminal.press("q")
                assert await asyncio.to_thread(terminal.wait_for_end) == 0
    finally:
        await asyncio.to_thread(terminal.close)


async def _talk_nonsense(soak: Soak) -> None:
    with clients(soak.socket, *GARBAGE, *HALF, *TOO_LONG):
        await soak.told(lambda snapshot: snapshot.pipeline.state == "running")


async def _command(soak: Soak) -> None:
    """A ticker removed and added again, a service paused and resumed, a look at a chart, a topic and the log."""
    ticker = soak.rng.choice(soak.recording.tickers)
    service = soak.rng.choice(["market", "indicators", "sink"])
    commands: list[Command] = [
        Remove([ticker]), GetHistory(ticker, indicators=["sma_20"]), GetTopics(), Add([ticker]),
        Pause(service), GetMessages(topic_for(STOCK_DATA, ticker)), GetLog(), Resume(service),
    ]  # fmt: skip
    async with soak.connected() as connection:
        for command in commands:
            await connection.ask(command)


async def _restart_services(soak: Soak) -> None:
    async with soak.connected() as connection:
        before = (await connection.ask(GetSnapshot())).at
        await connection.ask(Restart())
    await soak.told(
        lambda snapshot: all(s.state in ("running", "finished") and s.since > before for s in snapshot.services)
    )


def _of_engines(name: str, fault: engine_faults.Fault) -> Fault:
    async def act(soak: Soak) -> None:
        names = [engine.name for engine in soak.engines]
        servers = [engine.server for engine in soak.engines]

        def told(also: Callable[[], bool]) -> Snapshot | None:
            return watch(soak.product, soak.process, lambda s: missed(s, names) and also(), patience=120, pause=0.05)

        await asyncio.to_thread(fault, servers, told)

    return Fault(name, act)


ENDING = (Fault("kill -9", _kill, ends=True), Fault("SIGTERM", _terminate, ends=True))
PASSING = (
    Fault("SIGSTOP for seconds", _freeze),
    Fault("a second screen killed, hung up on or left", _visit),
    Fault("control socket: garbage, half and oversized frames", _talk_nonsense),
    Fault("ticker removed and added, service paused", _command),
    Fault("all services restarted", _restart_services),
)
DISK = Fault("disk full", _fill_disk)
"""Of the embedded engines, whose files are the process's own."""
ENGINES = (
    _of_engines("engines killed and started again", engine_faults.killed),
    _of_engines("engines frozen", engine_faults.frozen(KafkaSettings().session_timeout)),
)


def of_cluster(cluster: KafkaCluster) -> tuple[Fault, ...]:
    """What befalls one broker after the other, each until the others have taken its place and for a while longer."""

    def some(soak: Soak) -> KafkaNode:
        return soak.rng.choice(list(cluster.nodes.values()))

    async def kill(soak: Soak) -> None:
        some(soak).kill()
        await asyncio.sleep(_GONE_SECONDS)
        await asyncio.to_thread(cluster.start)

    async def freeze(soak: Soak) -> None:
        node = some(soak)
        node.freeze()
        try:
            await asyncio.sleep(_GONE_SECONDS)
        finally:
            node.thaw()
        await asyncio.to_thread(cluster.wait_until_whole)

    async def restart(soak: Soak) -> None:
        for node in cluster.nodes.values():
            await asyncio.to_thread(node.stop)
            await asyncio.to_thread(cluster.start)

    async def move(soak: Soak) -> None:
        topics = [topic_for(STOCK_DATA, ticker) for ticker in soak.recording.tickers]
        await asyncio.to_thread(cluster.move_leader, topics)

    return (
        Fault("a broker of three killed", kill),
        Fault("a broker of three frozen", freeze),
        Fault("all brokers restarted one by one", restart),
        Fault("leaders moved", move),
    )


def schedule(
    rng: random.Random, passing: Sequence[Fault], rounds: int, endings: int, until: float, last: float = 0.9
) -> list[tuple[float, Fault]]:
    """Shares of the recording, and the fault that comes then, in order.

    The process ends each way `endings` times before the share `until`; all else happens `rounds` times from there
    to the share `last`, in any order but evenly apart. So the last process lives from `until` to the end.
    """
    ended = [(rng.uniform(until / 10, until), fault) for fault in ENDING for _ in range(endings)]
    others = [fault for _ in range(rounds) for fault in rng.sample(passing, len(passing))]
    width = (last - until) / len(others)
    passed = [(until + width * (number + rng.random() / 2), fault) for number, fault in enumerate(others)]
    return sorted(ended, key=itemgetter(0)) + passed
