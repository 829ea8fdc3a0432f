"""`avatar plan`: how many sessions a profile carries, and what very many people need of machines, simulated.

Nothing is run and nothing is measured here: costs go in, waits come out, and the same seed gives the same table. It is
as right as its costs; those that nobody measured say so. What is simulated, and how, is in serve_app/simulation.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from serve_app.errors import UserError
from serve_app.files import whole
from serve_app.gateway.admission import Limits
from serve_app.room import part
from serve_app.settings import Settings, load
from serve_app.simulation import fleet
from serve_app.simulation.costs import COSTS, House, house, read
from serve_app.simulation.fleet import Day, Wish
from serve_app.simulation.plot import Curve, svg
from serve_app.simulation.talking import LIP_S, Habits, Seen, percentile, search, simulate

MOST_SESSIONS = 100_000
MOST_HOURS = 24.0
CROWDED = 3
"""Machines are simulated with up to so many people more than their gateway lets in."""
MANY_REFUSED = 0.05


def main(chosen: argparse.Namespace) -> int:
    """Print how many sessions a profile carries, or what a fleet for so many needs. Raises UserError."""
    settings = load(chosen.profile)
    costs = read(chosen.costs) if chosen.costs else COSTS
    there = house(settings, chosen.cores or os.cpu_count() or 1, dict(map(_changed, chosen.cost)), costs)
    if chosen.sessions is None:
        if chosen.most < 1:
            raise UserError(f"--most is {chosen.most}; write 1 or more")
        print("\n".join(table(settings.profile, there, search(there, chosen.most, chosen.seed), chosen.most)))
        return 0
    wish = wished(settings, chosen)
    waits, stalls = measured(there, wish, chosen.seed)
    day = fleet.simulate(wish, waits, stalls, chosen.seed)
    print("\n".join([*of_day(settings.profile, wish, day, chosen.price), "", *sources(there)]))
    if chosen.plot:
        plot(chosen.plot, f"{settings.profile}: {wish.sessions:,} sessions at the height", day)
    return 0


def table(profile: str, house: House, tried: Sequence[Seen], most: int) -> list[str]:
    """The lines that tell what one machine carries, Markdown."""
    device = ", ".join(f"{count} {name.upper()}" for name, count in house.devices.items() if name and count)
    lines = ["| sessions | lip p50 s | lip p95 s | stalled | " + " | ".join(f"{n} busy" for n in tried[0].busy) + " |"]
    lines.append("|" + "---|" * (4 + len(tried[0].busy)))
    for seen in tried:
        busy: list[Any] = [f"{share:.0%}" for share in seen.busy.values()]
        row = [seen.sessions, f"{percentile(seen.lips, 0.5):.2f}", f"{seen.p95:.2f}", f"{seen.stalled:.1%}", *busy]
        lines.append("| " + " | ".join(map(str, row)) + " |")
    carried = max((seen.sessions for seen in tried if seen.carried), default=0)
    more = " or more" if carried == most else ""
    lines += [
        "",
        f"{profile} ({device}) carries {carried}{more} sessions: lip p95 at most {LIP_S} s, stalled at most 1 %",
    ]
    return [*lines, *sources(house)]


def sources(house: House) -> list[str]:
    """What each stage costs, and who says so."""
    return [
        f"- {stage}: {cost.first:g} s a call + {cost.each:g} s a second of sound on {cost.device or 'elsewhere'}; "
        f"{cost.source}"
        for stage, cost in house.costs.items()
    ]


def _changed(text: str) -> tuple[str, float]:
    stage, _, number = text.partition("=")
    try:
        each = float(number)
    except ValueError:
        each = -1.0
    if not 0 <= each < float("inf"):
        raise UserError(f"--cost {text} is no cost; write STAGE=SECONDS, face=0.4 for instance")
    return stage, each


# ---- a fleet -----------------------------------------------------------------------------------------------


def wished(settings: Settings, chosen: argparse.Namespace) -> Wish:
    """What is to be simulated of a fleet. Raises UserError."""
    bounds: Mapping[str, tuple[float, float]] = {
        "sessions": (1, MOST_SESSIONS),
        "hours": (0.1, MOST_HOURS),
        "stay": (10, 86_400),
        "cold": (0, 3600),
        "spot": (0, 1),
    }
    for name, (least, most) in bounds.items():
        if not least <= (given := getattr(chosen, name)) <= most:
            raise UserError(f"--{name} may be {least:g} to {most:g}, not {given:g}")
    if chosen.each is not None and not 0 < chosen.each < float("inf"):
        raise UserError(f"--each is {chosen.each:g}; write how many conversations a machine carries")
    ray = settings.ray
    kind = "gpu" if "face" in ray.together else "face"
    room = part(settings, lambda name: ray.share(name).largest)
    limits = Limits(room, settings.gateway.speaking, settings.gateway.late)
    each = chosen.each or limits.sessions or ray.share(kind).ongoing * ray.share(kind).largest
    return Wish(chosen.sessions, chosen.hours, chosen.stay, chosen.cold, chosen.spot, kind, each, limits, Habits())


def measured(there: House, wish: Wish, seed: int) -> tuple[list[list[float]], list[float]]:
    """Lip waits and the share of speech that stalls on a machine with 1, 2, 3... people."""
    most = (wish.limits.sessions or wish.limits.speaking * 2 or round(wish.each * 3)) + CROWDED
    seen = [simulate(there, count + 1, seed) for count in range(most)]
    return [one.lips for one in seen], [one.stalled for one in seen]


def of_day(profile: str, wish: Wish, day: Day, price: float | None) -> list[str]:
    """The lines that tell what became of a fleet, Markdown."""
    hours = day.machine_s / 3600
    speech = day.spoken_s / 60
    limits = f"{wish.limits.sessions or 'any'} sessions, {wish.limits.speaking or 'any'} speaking"
    lines = [
        f"{profile}, {wish.hours:g} h, at most {wish.sessions:,} sessions of {wish.stay_s:g} s; "
        f"a machine takes {limits}",
        "",
        "| what | |",
        "|---|---|",
        f"| people who came | {day.came:,} |",
        f"| told to come later, of all who asked | {day.refused / max(day.came + day.refused, 1):.1%} |",
        f"| gave up | {day.gone:,} ({day.gone / max(day.came, 1):.1%}) |",
        f"| sessions at once, most | {day.height:,} |",
        f"| machines, mean and most | {hours / wish.hours:,.0f}, {day.most:,} |",
        f"| machines lost, conversations that moved | {day.lost:,}, {day.moved:,} |",
        f"| lip p50, p95 | {percentile(day.lips, 0.5):.2f} s, {percentile(day.lips, 0.95):.2f} s |",
        f"| speech | {speech:,.0f} min |",
    ]
    if price is not None:
        lines.append(f"| cost, of it a minute of speech | {hours * price:,.2f}, {hours * price / max(speech, 1):.4f} |")
    if day.gone > MANY_REFUSED * day.came:
        lines += [
            "",
            f"many give up: the policy counts {wish.each:g} conversations a machine, and more come while one starts"
            f" ({wish.cold_s:g} s) than the others have places for; try a smaller --each or --cold",
        ]
    return lines


def plot(path: Path, title: str, day: Day) -> None:
    """Sessions, machines and people who gave up, as SVG. Raises UserError if it cannot be written."""
    if len(day.moments) < 2:
        raise UserError("there is too little time to draw; give --hours 0.1 or more")
    new = [b.gone - a.gone for a, b in zip(day.moments, day.moments[1:], strict=False)]
    curves = (
        Curve("sessions", [one.sessions for one in day.moments]),
        Curve("machines, those on their way too", [one.machines for one in day.moments]),
        Curve("people who give up, a minute", [0, *new]),
    )
    with whole(path) as part:
        part.write_text(svg(title, [one.at_s / 3600 for one in day.moments], curves), "utf-8")
