"""mediapipe's tasks, without what they draw diagrams and record sounds with.

Their package imports matplotlib's pyplot and the machine's sound library, half a second of each process that looks at
a face and a sixth of its start; an empty module stands in for either while it is imported.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Final

UNUSED: Final = [name for name in ("matplotlib", "matplotlib.pyplot", "sounddevice") if name not in sys.modules]

sys.modules.update({name: ModuleType(name) for name in UNUSED})
try:
    from mediapipe import Image, ImageFormat
    from mediapipe.tasks.python import BaseOptions, vision
finally:
    for unused in UNUSED:  # whoever imports one of them later gets it
        del sys.modules[unused]

__all__ = ["BaseOptions", "Image", "ImageFormat", "vision"]
