"""How long tests wait for what must come."""

PATIENCE_S = 120.0
"""Seconds until something that must come is missed. Nobody waits for them where all is well: on a machine that stood
still for half a minute nothing is wrong yet."""
