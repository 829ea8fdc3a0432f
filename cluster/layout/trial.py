"""The trial: everything is started, somebody speaks, the release and then one gateway's node are upgraded.

Runs inside of namespaces that __main__.py made. It judges nothing by time: how long things took is only told.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from actors.tts.hibari import Hibari
from cluster.layout import plan as plans
from cluster.layout.box import Box
from cluster.layout.boxes import Boxes, Failed
from cluster.layout.plan import HOST, SERVE, Plan
from cluster.layout.seen import Cluster, Seen, stored
from cluster.layout.talk import Person
from serve_app.bench.questions import ask_with
from serve_app.gateway.leaving import CLOSE_ELSEWHERE
from streaming.media import FRAME, RATE

QUESTIONS = ("What is twelve times seven?", "Who are you?", "How do you move your lips?")
TURNS = 2
"""Turns before the first upgrade and after each."""
RUNNING_S = 600.0
"""Longest wait for the applications."""
MOVED_S = 300.0
"""Longest wait for a conversation to go on."""
SCRAPED_S = 180.0
DEADLINE_S = 300
"""What Ray is told that a node has left."""


@dataclass
class Trial:
    """One run: ``start``, ``talk``, ``watched``."""

    plan: Plan
    boxes: Boxes
    seen: Seen = field(default_factory=Seen)
    _key: str = ""

    def __post_init__(self) -> None:
        self._cluster = Cluster(self.plan, self.boxes)

    # ---- started -------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Everything, in order; a key for the client; the applications. Raises Failed."""
        self.boxes.network([*self.plan.boxes, self.plan.deploy])
        *before, nginx = self.plan.boxes
        for box in before:
            self._started(box)
        made = self.boxes.run("head", ["avatar", "key", "add", "me"])
        self._key = made.stdout.strip()
        if made.returncode or not self._key:
            raise Failed(f"no key was made: {made.stderr}")
        self._deployed(self.plan.deploy)
        self._started(nginx)

    def _started(self, box: Box) -> None:
        took = self.boxes.start(box)
        self.seen.note(box.name, f"{self.boxes.addresses[box.name]:<11} {took:5.1f} s  {' '.join(box.command)}")

    def _deployed(self, job: Box) -> None:
        """`serve deploy`, and until everything runs."""
        self._started(job)
        begun = time.monotonic()
        while not self._cluster.runs():
            if time.monotonic() - begun > RUNNING_S:
                raise Failed(f"not everything runs after {RUNNING_S:.0f} s: {self._cluster.states()}")
            time.sleep(1.0)
        took = time.monotonic() - begun
        self.seen.note("applications", f"run after {took:.1f} s, {self._where()}")

    def _where(self) -> str:
        return f"gateways on {' and '.join(sorted(self._cluster.gateways().values()))}"

    # ---- spoken with ---------------------------------------------------------------------------------------

    async def talk(self) -> None:
        """Speak all the time; upgrade the release, then one gateway's node. Raises Failed."""
        questions = await ask_with(Hibari(), QUESTIONS)
        person, over = Person(), asyncio.Event()
        talking = asyncio.create_task(person.talk(f"wss://{HOST}/v1/realtime", self._key, questions, over))
        try:
            await self._turns(person, TURNS)
            calm = person.pause(0.0, time.monotonic())
            self.seen.note(f"{TURNS} turns", f"longest wait for sound or picture {calm:.1f} s")
            await self._upgraded(person, "the gateways' release", lambda: asyncio.to_thread(self._release))
            await self._upgraded(person, "one gateway's node", lambda: self._node_replaced(person))
        finally:
            over.set()
            done, _ = await asyncio.wait([talking], timeout=MOVED_S)
            if not done:
                talking.cancel()
                await asyncio.gather(talking, return_exceptions=True)
            self.seen.faults += person.wrong
        await self._stored(person)

    async def _turns(self, person: Person, count: int) -> None:
        wanted = len(person.replies) + count
        await self._until(lambda: len(person.replies) >= wanted, person, "the conversation went silent")

    async def _until(self, true: Callable[[], bool], person: Person, what: str) -> None:
        """Raises Failed after MOVED_S, or at once if nobody talks any more."""
        until = time.monotonic() + MOVED_S
        while not true():  # the kernel's tables and Serve tell nobody
            if person.left or time.monotonic() > until:
                raise Failed(f"{what} ({'it ended' if person.left else f'{MOVED_S:.0f} s'})")
            await asyncio.sleep(0.1)

    async def _upgraded(self, person: Person, what: str, work: Callable[[], Awaitable[str]]) -> None:
        """Do it while somebody speaks, and note what that one felt."""
        owner = (await stored(person.session)).owner
        begun, cuts = time.monotonic(), len(person.resumed)
        how = await work()
        await self._turns(person, TURNS)
        until = time.monotonic()
        moved = person.resumed[cuts:]
        felt = f"closed with {', '.join(f'{cut.code}, back after {cut.mended - cut.cut:.2f} s' for cut in moved)}"
        self.seen.note(f"upgrade of {what}", f"{how}; {until - begun:.0f} s with {TURNS} turns after it")
        self.seen.note("", f"{felt}; longest wait for sound or picture {person.pause(begun, until):.1f} s")
        self.seen.must(bool(moved), f"upgrade of {what}: the conversation was not moved")
        torn = [cut.code for cut in moved if cut.code != CLOSE_ELSEWHERE]
        self.seen.must(not torn, f"upgrade of {what}: a gateway that drains closes with 1012, not with {torn}")
        after = (await stored(person.session)).owner
        self.seen.must(after != owner, f"upgrade of {what}: the conversation is still at {owner}")

    def _release(self) -> str:
        """The Serve config with another version of the gateway, as a new release brings it."""
        files, old = self.plan.deploy.files, self._cluster.gateways().keys()
        self._deployed(replace(self.plan.deploy, files={**files, SERVE: plans.newer(files[SERVE])}))
        gone = lambda: not old & self._cluster.gateways().keys()  # noqa: E731
        self.boxes.until(gone, RUNNING_S, "gateways of the old version are still there", "head")
        return "both replaced, each by one that listened before it drained"

    async def _node_replaced(self, person: Person) -> str:
        """Drained, so that Serve moves its gateway, and that one its clients; stopped; started anew."""
        name, cuts = self._cluster.serving(), len(person.resumed)
        if not name:
            raise Failed("nginx has no connection with a gateway")
        await asyncio.to_thread(self._drain, name)
        await self._until(lambda: len(person.resumed) > cuts, person, f"{name} kept its client")
        elsewhere = lambda: self._cluster.serving() not in ("", name)  # noqa: E731
        await self._until(elsewhere, person, f"nobody took over from {name}")
        other = self._cluster.serving()
        took = await asyncio.to_thread(self.boxes.stop, name)
        [box] = [box for box in self.plan.boxes if box.name == name]
        await asyncio.to_thread(self.boxes.start, box)
        return f"{name} drained, its client at {other}; stopped in {took:.1f} s, started anew"

    def _drain(self, name: str) -> None:
        told = ["--node-id", self._cluster.node(name), "--reason", "DRAIN_NODE_REASON_PREEMPTION"]
        told += ["--reason-message", "upgrade", "--deadline-remaining-seconds", str(DEADLINE_S)]
        done = self.boxes.run("head", ["ray", "drain-node", *told])
        if done.returncode:
            raise Failed(f"{name} could not be drained: {done.stdout}{done.stderr}")

    # ---- looked at -----------------------------------------------------------------------------------------

    async def _stored(self, person: Person) -> None:
        """Every question and every answer, in order."""
        found, turns = await stored(person.session), len(person.replies)
        roles = [item.said.role for item in found.items]
        self.seen.must(roles == ["user", "assistant"] * turns, f"{turns} turns were spoken, the store has {roles}")
        asked = [item.said.text for item in found.items if item.said.role == "user"]
        self.seen.must(asked == person.heard, f"{person.heard} was understood, {asked} is stored")
        sound = sum(reply.sounded for reply in person.replies) / RATE
        pictures = sum(reply.seen for reply in person.replies) // FRAME
        how = "something missing or twice" if person.wrong else "nothing missing or twice"
        self.seen.note("turns", f"{turns}, {sound:.0f} s of sound and {pictures} pictures, {how}")
        self.seen.note("", f"{1 + len(person.resumed)} connections, {person.again} questions asked again")
        self.seen.note("store", f"{len(found.items)} items, epoch {found.epoch}")

    def watched(self) -> None:
        """Prometheus has scraped every node, and has the numbers of every gateway."""
        nodes = self._cluster.nodes()

        def scraped() -> bool:
            return nodes <= {name for name, value in self._cluster.measured("up").items() if value == "1"}

        self.boxes.until(scraped, SCRAPED_S, f"Prometheus did not scrape {', '.join(sorted(nodes))}", "prometheus")
        served = self._cluster.measured("max_over_time(avatar_sessions_active[15m])").keys()
        missing = set(self.plan.gateways) - served
        self.seen.must(not missing, f"Prometheus has no numbers of {', '.join(sorted(missing))}")
        self.seen.note("Prometheus", f"{len(nodes)} nodes scraped, numbers of {len(self.plan.gateways)} gateways")
        self.seen.note("in the end", self._where())


def certificate(folder: Path) -> tuple[str, str]:
    """A certificate of our host's and its key; the client trusts it from now on."""
    key = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    key += ["-keyout", f"{folder}/key.pem", "-out", f"{folder}/cert.pem", "-subj", f"/CN={HOST}", "-days", "1"]
    subprocess.run([*key, "-addext", f"subjectAltName=DNS:{HOST}"], check=True, capture_output=True)
    os.environ["SSL_CERT_FILE"] = f"{folder}/cert.pem"
    return (folder / "cert.pem").read_text(), (folder / "key.pem").read_text()


def trial(made: Callable[[tuple[str, str]], Plan], folder: Path, logs: Path) -> int:
    """0 if nothing was lost, else 1. Raises Unknown for what the files hold and nobody knows."""
    begun = time.monotonic()
    one = Trial(made(certificate(folder)), Boxes(folder, logs))
    try:
        one.start()
        one.seen.note("everything runs", f"after {time.monotonic() - begun:.0f} s")
        asyncio.run(one.talk())
        one.watched()
    except Failed as failed:
        one.seen.faults.append(str(failed))
    finally:
        one.boxes.stop_all()
    one.seen.note("the run", f"{time.monotonic() - begun:.0f} s")
    for fault in one.seen.faults:
        print(f"fault: {fault}", flush=True)
    return 1 if one.seen.faults else 0
