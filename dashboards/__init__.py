"""What operators look at: Prometheus configuration, rules and alerts, and Grafana dashboards made from ``panels.py``."""
