//! Grafana dashboards, from one definition.
