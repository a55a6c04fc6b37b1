"""Fixtures that the others of `live_services` rest on."""

from live_services import queue_server

__all__ = ["queue_server"]
