"""A process gives back what it freed: asked of glibc itself, in a process of its own."""

from __future__ import annotations

import ctypes
import subprocess
import sys

import pytest

SCRIPT = """
import ctypes, sys, tempfile, threading
from jobs.allocator import give_back_freed
if sys.argv[1] == "asked":
    give_back_freed()
everybody = threading.Barrier(8)
def work():
    kept = [bytes(50_000) for _ in range(20)]
    everybody.wait(30)
threads = [threading.Thread(target=work) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
libc = ctypes.CDLL(None)
libc.fopen.restype = ctypes.c_void_p
with tempfile.NamedTemporaryFile() as told:
    stream = ctypes.c_void_p(libc.fopen(told.name.encode(), b"w"))
    libc.malloc_info(0, stream)
    libc.fclose(stream)
    print(told.read().decode().count("<heap nr="))
"""


def arenas(asked: str) -> int:
    done = subprocess.run([sys.executable, "-c", SCRIPT, asked], capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_info"), reason="glibc alone has arenas to be told of")
def test_threads_share_one_arena() -> None:
    assert arenas("asked") == 1
    assert arenas("not asked") > 1
