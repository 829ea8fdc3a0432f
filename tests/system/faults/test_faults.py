"""Every part of the service is killed while people talk to it, as often as ``--kills`` says (`make release`: 20 times).

The cluster has a head and two workers, each a process of its own; gateways, deployments, store and SDK are the real
ones, the stages sleep. Nobody may lose the conversation, hear or see anything twice, or miss anything, but where a
reply is to go on with less. How long people waited is not judged here but written down: a table in
docs/runbook.md.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import pytest_asyncio

from serve_app.ports import free_port
from tests.serve_app.databases import postgres
from tests.system.faults import stages
from tests.system.faults.ledger import Ledger
from tests.system.faults.nodes import ROOT, Nodes, alive, family, kill, short_folder, wait_until
from tests.system.faults.people import Person, talking, until

__all__ = ["postgres"]

pytestmark = [
    pytest.mark.ray,
    pytest.mark.system,
    pytest.mark.timeout(1200),
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(shutil.which("redis-server") is None, reason="Redis is not installed: apt install redis-server"),
]

NAMES = ["Anna", "Bruno", "Carla", "David"]
SETTLED_S = 90.0
"""Longest wait for what was killed to be there again."""
GIVEN_UP = 2
"""Replicas that a request may cost."""
COUNTS = {"llm": 2, "tts": 2, "face": 1, "gateway": 2}


@dataclass
class House:
    """The service, and who is ready in it."""

    nodes: Nodes
    store: str
    port: int
    version: int = 1
    redis: list[subprocess.Popen[bytes]] = field(default_factory=list[subprocess.Popen[bytes]])

    @property
    def url(self) -> str:
        """Where people talk to it."""
        return f"ws://127.0.0.1:{self.port}/v1/realtime"

    def ready(self, stage: str) -> list[int]:
        """Processes of a stage that are ready, the oldest first."""
        found = sorted(self.nodes.folder.glob(f"{stage}-*"), key=lambda path: float(path.read_text() or "inf"))
        return [pid for path in found if alive(pid := int(path.name.rpartition("-")[2]))]

    def whole(self) -> bool:
        """Whether everything is there."""
        return all(len(self.ready(stage)) >= count for stage, count in COUNTS.items())

    def begin(self) -> None:
        """Head and two workers."""
        self.nodes.start_head()
        for _ in range(2):
            worker = self.nodes.add_worker()
            wait_until(lambda node=worker: self.nodes.runs(node, "raylet"), SETTLED_S, "a worker of the cluster")

    def working(self) -> dict[int, str]:
        """Replicas of stages that are ready, by process."""
        return {pid: stage for stage in ("llm", "tts", "face") for pid in self.ready(stage)}

    def hit(self, were: dict[int, str]) -> set[str]:
        """Sessions that those of them worked for which are dead now."""
        dead = [stages.diary(self.nodes.folder, stage, pid) for pid, stage in were.items() if not alive(pid)]
        return {session for path in dead if path.exists() for session in path.read_text().split()}

    def deploy(self, *names: str) -> None:
        """All of it, or these; returns when they run."""
        program = [sys.executable, "-m", "tests.system.faults.deploy", self.nodes.address, str(self.nodes.folder)]
        told = [self.store, str(self.port), str(self.version), *names]
        done = subprocess.run([*program, *told], env=self.nodes.environment(), cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]


@pytest.fixture(scope="module")
def house(postgres: str) -> Iterator[House]:
    folder = short_folder()
    port = free_port()
    redis = subprocess.Popen(
        ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)],
        stdout=subprocess.DEVNULL,
    )
    house = House(Nodes(folder, redis=f"127.0.0.1:{port}"), postgres, free_port())
    try:
        house.begin()
        house.deploy()
        yield house
    finally:
        house.nodes.stop()
        redis.terminate()
        redis.wait()
        shutil.rmtree(folder, ignore_errors=True)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def people(house: House) -> AsyncIterator[list[Person]]:
    async with talking(house.url, NAMES) as people:
        yield people


@pytest.fixture(scope="module")
def ledger(request: pytest.FixtureRequest) -> Iterator[Ledger]:
    """What was seen; written where ``--faults`` says."""
    ledger = Ledger()
    yield ledger
    if path := request.config.getoption("--faults"):
        ledger.write(Path(path))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "kill_no" in metafunc.fixturenames:
        metafunc.parametrize("kill_no", range(int(metafunc.config.getoption("--kills") or 1)))


async def broken(
    house: House,
    people: list[Person],
    ledger: Ledger,
    kind: str,
    breaks: Callable[[], Awaitable[float | None]],
    *,
    less: bool = False,
) -> float:
    """Break something in mid-talk, wait until all have talked on and everything is there again; note how it was.

    ``less``: replies may go on with less. ``breaks`` gives the moment from which to count, if not from its begin.
    """
    await asyncio.to_thread(wait_until, house.whole, SETTLED_S, "the service before a fault")
    assert not any(person.left for person in people), "somebody has lost the conversation in an earlier test"
    await until(lambda: all(person.replies and not person.replies[-1].ended for person in people), 30.0)
    wrong = [len(person.wrong) for person in people]
    were, at = house.working(), time.monotonic()
    at = await breaks() or at
    turns = [len(person.replies) for person in people]
    went_on = lambda: all(len(p.replies) > turn + 1 or p.wrong for p, turn in zip(people, turns, strict=True))  # noqa: E731
    try:
        await until(went_on, SETTLED_S)
    except TimeoutError:
        silent = sum(len(p.replies) <= turn + 1 for p, turn in zip(people, turns, strict=True))
        ledger.note(kind, at, people, silent, house.hit(were))
        pytest.fail(f"after {kind}: " + json.dumps([(p.name, len(p.replies), p.away, p.wrong) for p in people]))
    lost = sum(len(person.wrong) > before for person, before in zip(people, wrong, strict=True))
    ledger.note(kind, at, people, lost, house.hit(were))
    assert [person.wrong[before:] for person, before in zip(people, wrong, strict=True)] == [[] for _ in people]
    if not less:
        cut = [reply for person in people for reply in person.after(at) if not reply.whole]
        assert [(reply.notices, reply.troubles) for reply in cut] == []
    return at


async def killed(pids: list[int]) -> None:
    kill(pids)


async def test_one_voice_of_two_is_killed(house: House, people: list[Person], ledger: Ledger, kill_no: int) -> None:
    await broken(house, people, ledger, "stage, one of two", lambda: killed(house.ready("tts")[kill_no % 2 :][:1]))


async def test_the_only_face_is_killed(house: House, people: list[Person], ledger: Ledger, kill_no: int) -> None:
    await broken(house, people, ledger, "stage, the only one", lambda: killed(house.ready("face")[:1]))


async def test_one_gateway_of_two_is_killed(house: House, people: list[Person], ledger: Ledger, kill_no: int) -> None:
    await broken(house, people, ledger, "gateway, one of two", lambda: killed(house.ready("gateway")[:1]))


async def test_the_controller_is_killed(house: House, people: list[Person], ledger: Ledger, kill_no: int) -> None:
    controllers = house.nodes.processes("ray::ServeController")
    assert len(controllers) == 1
    await broken(house, people, ledger, "Serve's controller", lambda: killed(controllers))
    await asyncio.to_thread(
        wait_until, lambda: bool(house.nodes.processes("ray::ServeController")), SETTLED_S, "another controller"
    )


async def test_a_voice_runs_out_of_memory(house: House, people: list[Person], ledger: Ledger, kill_no: int) -> None:
    (house.nodes.folder / "eaten").unlink(missing_ok=True)
    asked = len(people[0].replies)
    people[0].next.append(f"{stages.EATER} are the letters that the captain brought. Then it rained all day long.")

    async def eaten() -> None:
        await until((house.nodes.folder / "eaten").exists, 30.0)

    await broken(house, people, ledger, "stage, out of memory", eaten)
    assert any(stages.EATER in reply.asked and reply.whole for reply in people[0].replies[asked:])


async def test_a_voice_hangs(house: House, people: list[Person], ledger: Ledger, kill_no: int) -> None:
    (house.nodes.folder / "hung").unlink(missing_ok=True)
    people[1].next.append(f"{stages.HANGER} was the old lamp on the stairs. Then it rained all day long.")
    before, asked = house.ready("tts"), len(people[1].replies)

    async def hung() -> None:
        await until((house.nodes.folder / "hung").exists, 30.0)

    await broken(house, people, ledger, "stage, hanging", hung, less=True)
    [reply] = [reply for reply in people[1].replies[asked:] if stages.HANGER in reply.asked]
    assert [notice.rung for notice in reply.notices] == ["text"], "told, and written to its end"
    gone = lambda: any(not alive(pid) for pid in before)  # noqa: E731
    await asyncio.to_thread(wait_until, gone, SETTLED_S, "the end of a voice that hangs")


async def test_a_poisonous_request_is_given_up(
    house: House, people: list[Person], ledger: Ledger, kill_no: int
) -> None:
    diary = house.nodes.folder / "poisoned"
    diary.unlink(missing_ok=True)
    asked = len(people[2].replies)
    people[2].next.append(f"{stages.POISON} was the rain that fell into the room. Then it rained all day long.")

    async def poisoned() -> None:
        await until(diary.exists, 30.0)

    at = await broken(house, people, ledger, "a poisonous request", poisoned, less=True)
    [reply] = [reply for reply in people[2].replies[asked:] if stages.POISON in reply.asked]
    assert [trouble.code for trouble in reply.troubles] == ["tts_failed"]
    assert len(diary.read_text().splitlines()) == GIVEN_UP, "so many replicas, and no more"
    others = [r for person in people for r in person.after(at) if stages.POISON not in r.asked and not r.whole]
    ledger.beside("a poisonous request", len(others))


async def test_a_gateway_is_replaced(house: House, people: list[Person], ledger: Ledger, kill_no: int) -> None:
    old = house.ready("gateway")
    house.version += 1
    await broken(house, people, ledger, "gateways, both upgraded", lambda: asyncio.to_thread(house.deploy, "gateway"))
    assert not set(old) & set(house.ready("gateway"))


async def test_a_worker_node_is_lost(house: House, people: list[Person], ledger: Ledger, kill_no: int) -> None:
    await asyncio.to_thread(wait_until, house.whole, SETTLED_S, "the service before a fault")
    node = house.nodes.workers[kill_no % 2]
    both = set(house.ready("gateway")) <= set(family(node.pid))

    async def lost() -> None:
        house.nodes.kill_worker(node)

    try:
        kind = "a worker node" + (" with both gateways" if both else "")
        await broken(house, people, ledger, kind, lost, less=True)
    finally:
        house.nodes.add_worker()


async def test_the_head_is_lost_and_comes_back(
    house: House, people: list[Person], ledger: Ledger, kill_no: int
) -> None:
    async def lost() -> None:
        house.nodes.kill_head()

    await broken(house, people, ledger, "the head node, kept in Redis", lost)
    await asyncio.to_thread(house.nodes.start_head)
    at = house.ready("tts")[:1]
    await broken(house, people, ledger, "stage, one of two, when the head is back", lambda: killed(at))


async def test_without_redis_the_service_is_started_anew(
    house: House, people: list[Person], ledger: Ledger, kill_no: int
) -> None:
    """Last: everything goes, and another cluster with the same store and port takes the conversations up."""

    async def anew() -> float:
        house.nodes.redis = ""  # nothing is known of what ran before
        await asyncio.to_thread(house.nodes.stop)
        await asyncio.to_thread(house.begin)
        await asyncio.to_thread(house.deploy)
        return time.monotonic()

    await broken(house, people, ledger, "everything, started anew: since it is back", anew)
