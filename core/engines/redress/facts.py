"""The CPU engine, as `core.engines.facts` describes engines: its weights are part of the package."""

from typing import Final

from core.engines.facts import EngineFacts

FACTS: Final = EngineFacts(
    name="embedded",
    title="The sitter's own photograph, dressed and lit anew on the CPU",
    rank=0,
    opens=("core.engines.redress.engine", "open_engine"),
)
