"""The table of job kinds: every file of this folder that defines one. A new kind is a new file, and nothing else."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from typing import Any

from pydantic import TypeAdapter

import jobs.kinds
from jobs.kinds.base import Job


@cache
def kinds() -> dict[str, type[Job]]:
    """Return every kind by the word it is stored under; a kind's file bears that word as its name."""
    found: dict[str, type[Job]] = {}
    for module in pkgutil.iter_modules(jobs.kinds.__path__):
        for value in vars(importlib.import_module(f"jobs.kinds.{module.name}")).values():
            if isinstance(value, type) and issubclass(value, Job) and value.__name__.lower() == module.name:
                found[module.name] = value
    return found


@cache
def _adapter(kind: str) -> TypeAdapter[Any]:
    return TypeAdapter(kinds()[kind])


def to_json(job: Job) -> str:
    """Write a job as JSON."""
    text: bytes = _adapter(job.kind).dump_json(job)
    return text.decode()


def from_json(kind: str, text: str) -> Job:
    """Read what `to_json` wrote. Raises pydantic.ValidationError (a ValueError) on anything else, KeyError on a kind
    that is in no file.
    """
    job: Job = _adapter(kind).validate_json(text)
    return job
