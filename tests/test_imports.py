"""Imports point one way: bots -> jobs -> core, inside core and jobs from later stages to earlier ones, in no circle."""

import ast
from collections import defaultdict
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("core", "jobs", "bots")
CORE: tuple[tuple[str, ...], ...] = (
    ("core.errors", "core.settings", "core.atomic", "core.catalogue", "core.types"),
    ("core.frame", "core.colour", "core.weights", "core.progress"),
    ("core.face",),
    ("core.intake",),
    ("core.cutout",),
    ("core.face.features", "core.face.coverage"),
    ("core.scene",),
    ("core.engines",),
    ("core.models",),
    ("core.looks",),
    ("core.edit",),
    ("core.judge",),
    ("core.deliver",),
    ("core.shoot", "core.enhance"),
    ("core.studio", "core.doctor"),
    ("core.desk",),
    ("core.cli",),
    ("core.__main__",),
)
"""Modules and rooms of core by what they may import: those beside and above, never those below. The longest name
counts: features and coverage are measured on what was cut out."""
JOBS: tuple[tuple[str, ...], ...] = (
    ("jobs.settings", "jobs.logs", "jobs.allocator"),
    ("jobs.storage",),
    ("jobs.worker.laid_photos", "jobs.worker.workspace"),
    ("jobs.kinds",),
    ("jobs.metrics", "jobs.embedded_valkey"),
    ("jobs.queue",),
    ("jobs.services",),
    ("jobs.privacy",),
    ("jobs.worker",),
    ("jobs.run",),
)
"""The same of jobs. A job's folder stands before the job kinds: they lay their files into it."""
STAGES = {"core": CORE, "jobs": JOBS}


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def modules() -> dict[str, Path]:
    return {name_of(path): path for room in ROOMS for path in (ROOT / room).rglob("*.py")}


@cache
def imports() -> dict[str, set[str]]:
    """What each module imports of ours: at its head, inside functions, and for type checkers alone."""
    found: dict[str, set[str]] = defaultdict(set)
    for name, path in modules().items():
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                found[name] |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                assert node.module, f"{name} imports relatively"
                inner = {f"{node.module}.{alias.name}" for alias in node.names}
                found[name] |= {one if one in modules() else node.module for one in inner}
        found[name] = {one for one in found[name] if one in modules() and one != name}
    return found


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Strongly connected parts of more than one module (Tarjan 1972)."""
    number: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(name: str) -> None:
        number[name] = lowest[name] = len(number)
        stack.append(name)
        for other in sorted(graph.get(name, ())):
            if other not in number:
                visit(other)
                lowest[name] = min(lowest[name], lowest[other])
            elif other in stack:
                lowest[name] = min(lowest[name], number[other])
        if lowest[name] == number[name]:
            part = stack[stack.index(name) :]
            del stack[stack.index(name) :]
            if len(part) > 1:
                found.append(sorted(part))

    for name in sorted(graph):
        if name not in number:
            visit(name)
    return found


def stage_of(name: str) -> int:
    fits = [
        (len(prefix), stage)
        for stage, prefixes in enumerate(STAGES[name.partition(".")[0]])
        for prefix in prefixes
        if name == prefix or name.startswith(f"{prefix}.")
    ]
    assert fits, f"{name} has no place in STAGES"
    return max(fits)[1]


def test_nothing_runs_in_a_circle() -> None:
    assert circles(imports()) == []


def test_a_circle_would_be_found() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [["a", "b", "c"]]


@pytest.mark.parametrize("room", ROOMS)
def test_bots_know_jobs_and_jobs_know_core_and_never_the_other_way(room: str) -> None:
    above = ROOMS[ROOMS.index(room) + 1 :]
    wrong = {
        (name, other)
        for name, others in imports().items()
        for other in others
        if name.split(".")[0] == room and other.split(".")[0] in above
    }
    assert wrong == set()


@pytest.mark.parametrize("room", STAGES)
def test_inside_core_and_jobs_a_stage_imports_only_those_before_it(room: str) -> None:
    wrong = {
        (name, other)
        for name, others in imports().items()
        for other in others
        if name.startswith(f"{room}.") and other.startswith(f"{room}.") and stage_of(other) > stage_of(name)
    }
    assert wrong == set()


def test_engines_know_neither_the_studio_nor_its_models() -> None:
    for name, others in imports().items():
        if name.startswith("core.engines"):
            assert not others & {"core.studio", "core.models", "core.shoot"}, name


def test_package_files_are_empty() -> None:
    assert [name for name, path in modules().items() if path.name == "__init__.py" and path.read_text("utf-8")] == []
