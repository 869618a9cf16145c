"""Monitoring of a cluster: one alert catalogue, and what raises its alerts."""
