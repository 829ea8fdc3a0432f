"""What is declared is shown and what is shown is declared; every alert has its two stories and its page.

Whether the queries give numbers is seen against a real Prometheus: tests/system/test_dashboards.py.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from dashboards import build
from dashboards.panels import DASHBOARDS
from streaming.metrics import METRICS

ROOT = Path(__file__).resolve().parents[2]
RULES: list[dict[str, Any]] = [
    rule
    for group in yaml.safe_load((ROOT / "dashboards/rules.yml").read_text("utf-8"))["groups"]
    for rule in group["rules"]
]
ALERTS = [rule["alert"] for rule in RULES if "alert" in rule]
QUERIES = [query.text for dashboard in DASHBOARDS for panel in dashboard.panels for query in panel.queries]
KINDS = {metric.name: metric.kind for metric in METRICS}


STATED = [
    ("AvatarSlowToAnswer", "1.5 s", "> 1.5"),
    ("AvatarStageBehind", "more than a second", "> 1"),
    ("AvatarPicturesLate", "1 %", "> 0.01"),
    ("AvatarLipsBehind", "80 ms", "> 0.08"),
    ("AvatarSlowToFallSilent", "0.3 s", "> 0.3"),
    ("AvatarRepliesFail", "2 %", "> 0.02"),
    ("AvatarTurnsPeopleAway", "5 %", "> 0.05"),
    ("AvatarQueues", "0.5 s", "> 0.5"),
    ("AvatarGpuMemoryFull", "92 %", "> 0.92"),
    ("AvatarSlowToLoad", "3 minutes", "> 180"),
    ("AvatarNoMetrics", "two minutes", "for 2m"),
]
"""Alert, what its page says, what its rule says."""


def series(text: str) -> set[str]:
    """Names of ours in a query, recorded ones (avatar:...) left out."""
    return set(re.findall(r"(?<![:\w])avatar_\w+", text))


def declared(name: str) -> str:
    """The metric that a series belongs to."""
    base = re.sub(r"_(bucket|sum|count)$", "", name)
    return base if KINDS.get(base) == "histogram" else name


def test_every_metric_is_shown_and_every_one_shown_is_declared() -> None:
    shown = {declared(name) for query in QUERIES for name in series(query)}
    assert shown == set(KINDS)


def test_a_histogram_is_asked_for_as_one_and_nothing_else_is() -> None:
    for text in [*QUERIES, *(rule["expr"] for rule in RULES)]:
        for name in series(text):
            assert (KINDS[declared(name)] == "histogram") == (name != declared(name)), f"{name} in {text}"


def test_rules_are_about_declared_metrics() -> None:
    names = {declared(name) for rule in RULES for name in series(rule["expr"])}
    assert names <= set(KINDS)
    recorded = {rule["record"] for rule in RULES if "record" in rule}
    used = {name for rule in RULES if "alert" in rule for name in re.findall(r"avatar:[\w:]+", rule["expr"])}
    assert used == recorded


def test_labels_in_queries_are_those_of_their_metrics() -> None:
    labels = {metric.name: set(metric.labels) for metric in METRICS}
    for query in QUERIES:
        for group, name in re.findall(r"by \(([^)]*)\) \(rate\((avatar_\w+)", query):
            wanted = {label.strip() for label in group.split(",")} - {"le", "NodeAddress"}
            assert wanted <= labels[declared(name)], query


def test_panels_have_one_title_each_and_say_what_to_think() -> None:
    titles = [panel.title for dashboard in DASHBOARDS for panel in dashboard.panels]
    assert len(set(titles)) == len(titles)
    assert all(panel.about.endswith(".") for dashboard in DASHBOARDS for panel in dashboard.panels)


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda dashboard: dashboard.uid)
def test_the_dashboards_in_the_tree_are_those_of_the_panels(dashboard: Any) -> None:
    assert (build.FOLDER / f"{dashboard.uid}.json").read_text("utf-8") == build.made(dashboard), (
        "run python -m dashboards.build"
    )


def test_a_dashboard_that_is_old_is_told_and_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(build, "FOLDER", tmp_path / "grafana")
    assert build.main(["--check"]) == 1
    assert "avatar-quality.json" in capsys.readouterr().err
    assert not (tmp_path / "grafana").exists()
    assert build.main([]) == 0
    assert build.main(["--check"]) == 0


def test_every_alert_has_a_story_in_which_it_fires_and_one_in_which_it_does_not() -> None:
    stories = yaml.safe_load((ROOT / "dashboards/rules_test.yml").read_text("utf-8"))["tests"]
    fires = {(test["alertname"], bool(test["exp_alerts"])) for story in stories for test in story["alert_rule_test"]}
    assert fires == {(alert, outcome) for alert in ALERTS for outcome in (True, False)}


def test_every_alert_has_its_page_and_every_page_its_alert() -> None:
    pages = (ROOT / "docs/runbook.md").read_text("utf-8").partition("## What to do about each alert\n")[2]
    found = re.findall(r"^### (\w+)\n\n((?:(?!#).*\n?)+)", pages, re.MULTILINE)
    assert sorted(alert for alert, _ in found) == sorted(ALERTS)
    for alert, page in found:
        assert len(re.findall(r"[.?)](?:\s|$)", page)) >= 2, f"{alert}: say what it means, and what to do"


def test_every_alert_says_where_its_page_is() -> None:
    told = {rule["alert"]: rule["annotations"]["runbook_url"] for rule in RULES if "alert" in rule}
    assert told == {alert: f"docs/runbook.md#{alert.lower()}" for alert in ALERTS}


def test_a_page_names_only_panels_that_there_are() -> None:
    pages = (ROOT / "docs/runbook.md").read_text("utf-8").partition("## What to do about each alert\n")[2]
    titles = {panel.title for dashboard in DASHBOARDS for panel in dashboard.panels}
    named = set(re.findall(r"\*([^*\n]+)\*", pages))
    assert named and named <= titles


@pytest.mark.parametrize(("alert", "page", "rule"), STATED)
def test_a_page_says_the_limit_of_its_rule(alert: str, page: str, rule: str) -> None:
    pages = (ROOT / "docs/runbook.md").read_text("utf-8").partition(f"### {alert}\n")[2]
    assert page in pages.partition("###")[0]
    [found] = [one for one in RULES if one.get("alert") == alert]
    assert re.search(rf"{re.escape(rule)}(?![\d.])", f"{found['expr']} for {found.get('for')}")


def test_every_limit_is_compared() -> None:
    assert sorted(alert for alert, _, _ in STATED) == sorted(ALERTS)
