"""Rate limits of the fake Discord: buckets by route and major parameter, the global limit, and injected ones.

Discord publishes no numbers but the global one; those here are what its headers were seen to say.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.fakes.discord_objects import Clock, Json

GLOBAL_A_SECOND = 50
BUCKETS: dict[tuple[str, str], tuple[int, float]] = {
    ("POST", "channels/messages"): (5, 5.0),
    ("PATCH", "channels/messages"): (5, 5.0),
    ("DELETE", "channels/messages"): (5, 1.0),
    ("GET", "channels/messages"): (5, 1.0),
    ("POST", "webhooks"): (5, 2.0),
    ("PATCH", "webhooks"): (5, 2.0),
    ("DELETE", "webhooks"): (5, 1.0),
}
"""Requests and seconds by method and kind of route."""


@dataclass
class Window:
    """A bucket's count since it began anew."""

    began: float
    used: int = 0


@dataclass
class Limited:
    """What a 429 says."""

    retry_after: float
    scope: str = "user"
    everywhere: bool = False

    @property
    def body(self) -> Json:
        """The answer's JSON."""
        return {"message": "You are being rate limited.", "retry_after": round(self.retry_after, 3),
                "global": self.everywhere}  # fmt: skip


@dataclass
class Rates:
    """The limits. refused: how often one was run into, which the real server counts against an address.

    pace: how much longer a bucket's time is in truth. A bot finds the same limits as often, and waits less for them.
    """

    clock: Clock
    global_a_second: int = GLOBAL_A_SECOND
    pace: float = 10.0
    refused: int = 0
    injected: dict[tuple[str, str], list[Limited]] = field(default_factory=dict)
    _windows: dict[tuple[str, str, str], Window] = field(default_factory=dict)
    _global: Window = field(default_factory=lambda: Window(0.0))

    def inject(self, method: str, route: str, retry_after_s: float, times: int = 1, everywhere: bool = False) -> None:
        """Answer the next requests of a route with 429, without a bucket running empty first."""
        limited = [Limited(retry_after_s, "global" if everywhere else "shared", everywhere)] * times
        self.injected.setdefault((method, route), []).extend(limited)

    def take(self, method: str, route: str, major: str, by_bot: bool) -> tuple[Limited | None, dict[str, str]]:
        """Count a request; returns the refusal where there is one, and the headers."""
        waiting = self.injected.get((method, route))
        if waiting:
            return self._refuse(waiting.pop(0), {})
        now = self.clock.now()
        if by_bot:
            if now - self._global.began >= 1.0:
                self._global = Window(now)
            self._global.used += 1
            if self._global.used > self.global_a_second:
                return self._refuse(Limited(self._global.began + 1.0 - now, "global", True), {})
        if (method, route) not in BUCKETS:
            return None, {}
        most, seconds = BUCKETS[method, route][0], BUCKETS[method, route][1] / self.pace
        window = self._windows.get((method, route, major))
        if window is None or now - window.began >= seconds:
            window = self._windows[method, route, major] = Window(now)
        left = window.began + seconds - now
        window.used += 1
        headers = {
            "X-RateLimit-Limit": str(most), "X-RateLimit-Remaining": str(max(0, most - window.used)),
            "X-RateLimit-Reset": f"{now + left:.3f}", "X-RateLimit-Reset-After": f"{left:.3f}",
            "X-RateLimit-Bucket": f"{method}-{route}".lower().replace("/", "-"),
        }  # fmt: skip
        return self._refuse(Limited(left), headers) if window.used > most else (None, headers)

    def _refuse(self, limited: Limited, headers: dict[str, str]) -> tuple[Limited, dict[str, str]]:
        self.refused += 1
        extra = {"Retry-After": f"{limited.retry_after:.3f}", "X-RateLimit-Scope": limited.scope, "Via": "1.1 google"}
        return limited, {**headers, **extra, **({"X-RateLimit-Global": "true"} if limited.everywhere else {})}
