"""The dashboard for Grafana, and what writes it."""
