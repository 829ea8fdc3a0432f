"""`python -m dashboards.check --url http://127.0.0.1:9090`: does every panel's query give finite numbers there?

Ask it of a Prometheus that has scraped a service under load for a while. A query that fails, gives nothing, or gives
NaN or infinity at any moment of the last scrape is told with its panel, and the command ends with 1.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Iterator
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import urlopen

from dashboards.build import PRICE
from dashboards.panels import DASHBOARDS, OVER, Query


def asked(query: Query, over: str) -> str:
    """The query with what Grafana would fill in."""
    return query.text.replace(OVER, over).replace("$price", PRICE)


def values(url: str, text: str) -> list[float]:
    """What Prometheus gives for it now. Raises ValueError with Prometheus's own words."""
    try:
        with urlopen(f"{url}/api/v1/query?{urlencode({'query': text})}", timeout=10) as answer:
            told = json.load(answer)
    except HTTPError as error:
        raise ValueError(json.loads(error.read()).get("error", str(error))) from None
    return [float(one["value"][1]) for one in told["data"]["result"]]


def problems(url: str, over: str) -> Iterator[str]:
    """One line for each query that gives no finite number."""
    for dashboard in DASHBOARDS:
        for panel in dashboard.panels:
            for query in panel.queries:
                where = f"{dashboard.title} / {panel.title} / {query.legend}"
                try:
                    found = values(url, asked(query, over))
                except ValueError as error:
                    yield f"{where}: {error}"
                    continue
                if not found:
                    yield f"{where}: no series"
                elif not all(math.isfinite(value) for value in found):
                    yield f"{where}: {', '.join(f'{value:g}' for value in found)}"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m dashboards.check", description=__doc__)
    parser.add_argument("--url", default="http://127.0.0.1:9090", help="Prometheus (default: %(default)s)")
    parser.add_argument("--over", default="1m", help="what rates are taken over (default: %(default)s)")
    chosen = parser.parse_args(arguments)
    try:
        wrong = list(problems(chosen.url, chosen.over))
    except (URLError, TimeoutError) as error:
        print(f"no Prometheus answers at {chosen.url}: {error}", file=sys.stderr)
        return 2
    for line in wrong:
        print(line, file=sys.stderr)
    asked_for = sum(len(panel.queries) for dashboard in DASHBOARDS for panel in dashboard.panels)
    print(f"{asked_for - len(wrong)} of {asked_for} queries give finite numbers")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
