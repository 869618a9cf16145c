"""Hooks of Auto Scaling."""
