"""`python -m dashboards.build [--check]`: the Grafana dashboards of panels.py as JSON, into dashboards/grafana/.

``--check`` writes nothing and ends with 1 where a file is not what would be written.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from dashboards.panels import DASHBOARDS, Dashboard

FOLDER = Path(__file__).parent / "grafana"
WIDTH, HEIGHT = 8, 8
"""Of a panel, in Grafana's 24 columns."""
PRICE = "0.71"
"""Dollars an hour of one L4 with its machine's share: a list price to start from, to be changed on the dashboard."""


def made(dashboard: Dashboard) -> str:
    """A dashboard as JSON."""
    from grafana_foundation_sdk.builders.dashboard import Dashboard as Builder
    from grafana_foundation_sdk.builders.dashboard import DatasourceVariable, TextBoxVariable
    from grafana_foundation_sdk.builders.prometheus import Dataquery
    from grafana_foundation_sdk.builders.timeseries import Panel
    from grafana_foundation_sdk.cog.encoder import JSONEncoder
    from grafana_foundation_sdk.models.dashboard import DataSourceRef

    source = DataSourceRef(type_val="prometheus", uid="${source}")
    builder = (
        Builder(dashboard.title)
        .uid(dashboard.uid)
        .tags(["avatar"])
        .refresh("10s")
        .time("now-1h", "now")
        .with_variable(DatasourceVariable("source").label("Prometheus").type("prometheus"))
    )
    if any("$price" in query.text for panel in dashboard.panels for query in panel.queries):
        builder = builder.with_variable(TextBoxVariable("price").label("$ a GPU-hour").default_value(PRICE))
    for panel in dashboard.panels:
        drawn = Panel().title(panel.title).description(panel.about).unit(panel.unit).span(WIDTH).height(HEIGHT)
        drawn = drawn.datasource(source).min(0)
        for letter, query in zip("ABCDEFGH", panel.queries, strict=False):
            drawn = drawn.with_target(Dataquery().ref_id(letter).expr(query.text).legend_format(query.legend))
        builder = builder.with_panel(drawn)
    return JSONEncoder(sort_keys=True, indent=1).encode(builder.build()) + "\n"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m dashboards.build", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; end with 1 where a file is old")
    check = parser.parse_args(arguments).check
    old: list[str] = []
    for dashboard in DASHBOARDS:
        file, text = FOLDER / f"{dashboard.uid}.json", made(dashboard)
        if check:
            if not file.exists() or file.read_text("utf-8") != text:
                old.append(file.name)
        else:
            FOLDER.mkdir(exist_ok=True)
            file.write_text(text, "utf-8")
    if old:
        print(f"{', '.join(old)}: not as panels.py says; run python -m dashboards.build", file=sys.stderr)
    return 1 if old else 0


if __name__ == "__main__":
    raise SystemExit(main())
