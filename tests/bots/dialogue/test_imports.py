"""What importing the conversation brings along."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("sqlalchemy", "cryptography", "arq", "torch", "telegram", "discord", "redis", "aiosqlite", "httpx", "cv2")


def test_the_conversation_loads_no_storage_no_queue_no_chat_and_no_studio() -> None:
    """In a fresh process, every module of the dialogue."""
    script = f"""
import pkgutil, sys
from importlib import import_module
import bots.dialogue
found = [name for _, name, _ in pkgutil.walk_packages(bots.dialogue.__path__, "bots.dialogue.")]
for name in found:
    import_module(name)
assert "bots.dialogue.machine" in found and "bots.dialogue.handlers.photos" in found, found
print(*sorted(name for name in {HEAVY!r} if name in sys.modules))
print(*sorted(name for name in sys.modules if name.startswith(("jobs.storage", "bots.runtime", "bots.platforms"))))
"""
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert told.stdout.split() == []
