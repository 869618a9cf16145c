"""Timonel's components."""
