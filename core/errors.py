"""What can go wrong in the studio, as a small tree.

    AtelierError
    +-- Refused            the input cannot be used; the message says why and what to do (exit 2)
    |   +-- NoMajority     the photos show different people and none of them most often
    +-- SetupWrong         a setting, a token or the installation is wrong: no further try mends it
    |   +-- WeightMissing  a weight file is absent or wrong; names the command that mends it
    |   +-- EngineMissing  the engine asked for cannot run here; names the one next step
    +-- WeightsUnreachable a pull found no source for some files; tells what each one said
    +-- Stopped            should_stop() said so; files allow to go on later
    +-- StyleWrong         a style pack breaks its schema; names the key

Messages carry the number and the limit. The sentence a person reads in a chat is chosen in
`bots/dialogue/text.py`; these are for operators, logs and the command line.
"""

from __future__ import annotations


class AtelierError(Exception):
    """Base of all errors this project raises on purpose. reason: a machine word, as `--json` tells it."""

    reason: str = "fault"


class Refused(AtelierError):
    """The input was refused; `reason` is a machine word, the message a sentence."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class NoMajority(Refused):
    """No person is on more than half of the photos."""


class SetupWrong(AtelierError):
    """A setting, a token or the installation is wrong; the message says what to do. No further try mends it."""


class WeightMissing(SetupWrong):
    """A weight file is missing, or its bytes are not the pinned ones."""

    reason = "weight_missing"

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"{name}: {why}; run `atelier weights pull`")
        self.name = name


class EngineMissing(SetupWrong):
    """An engine lacks its packages, its card or its weights; `next_step` is a command or a setting."""

    reason = "engine_missing"

    def __init__(self, engine: str, why: str, next_step: str) -> None:
        super().__init__(f"engine {engine}: {why}; {next_step}")
        self.engine, self.why, self.next_step = engine, why, next_step


class WeightsUnreachable(AtelierError):
    """A pull ended without some files; `failures` holds name -> what each source said, in order."""

    reason = "weights_unreachable"

    def __init__(self, failures: dict[str, list[str]]) -> None:
        lines = [f"  {name}: {'; '.join(said)}" for name, said in failures.items()]
        super().__init__("\n".join([f"{len(failures)} weight file(s) could not be fetched:", *lines]))
        self.failures = failures


class Stopped(AtelierError):
    """Work was stopped on request; nothing half-written is left in its place."""

    reason = "stopped"


class StyleWrong(AtelierError):
    """A style pack has an unknown or missing key, a value out of range, or a name that is not in the wardrobe."""

    reason = "style_wrong"
