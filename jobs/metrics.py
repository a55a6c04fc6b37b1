"""What an operator watches: Prometheus counters, and whether this process lives and is ready.

GET /metrics   counters and durations of this process, queues as the database has them
GET /livez     200 while the event loop turns
GET /readyz    200 while database, queue and blob store answer, 503 with what does not
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import structlog
from prometheus_client import CONTENT_TYPE_LATEST, Counter, Gauge, Histogram, generate_latest
from sqlalchemy import func, select

from jobs.storage import schema as t
from jobs.storage.database import Database

log = structlog.get_logger("atelier.metrics")

JOBS: Final = Counter("atelier_jobs_total", "Jobs by how they ended", ["kind", "outcome"])
FAILURES: Final = Counter("atelier_failures_total", "Failed jobs by reason", ["kind", "reason"])
BUCKETS: Final = (0.1, 0.25, 0.5, 1, 1.5, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600)
SECONDS: Final = Histogram("atelier_job_seconds", "From start to end of an attempt", ["kind"], buckets=BUCKETS)
STAGE_SECONDS: Final = Histogram(
    "atelier_stage_seconds", "Seconds spent in a stage", ["kind", "stage"], buckets=BUCKETS
)
FIRST_PORTRAIT: Final = Histogram(
    "atelier_first_portrait_seconds", "From placing a shoot to its portraits", buckets=BUCKETS
)
DEPTH: Final = Gauge("atelier_queue_depth", "Jobs by queue and state", ["queue", "state"])
AGE: Final = Gauge("atelier_queue_age_seconds", "Age of the oldest waiting job", ["queue"])
GPU: Final = Gauge("atelier_gpu_memory_bytes", "Memory of the studio's GPU, by anybody's use of it", ["part"])
OUTBOX: Final = Gauge("atelier_outbox_depth", "Messages and news whose effect has not taken place", ["queue"])

CHECK_S: Final = 3.0
Check = Callable[[], Awaitable[None]]


async def serve(host: str, port: int, database: Database, checks: Mapping[str, Check]) -> None:
    """Answer the three paths until cancelled."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(2 * CHECK_S):
                path = (await reader.readline()).split()[1:2]
                status, kind, body = await _page(path[0].decode() if path else "", database, checks)
                head = [
                    f"HTTP/1.1 {status}",
                    f"Content-Type: {kind}",
                    f"Content-Length: {len(body)}",
                    "Connection: close",
                ]
                writer.write("\r\n".join([*head, "", ""]).encode() + body)
                await writer.drain()
        except (TimeoutError, OSError, ValueError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(answer, host, port)
    async with server:
        await server.serve_forever()


async def _page(path: str, database: Database, checks: Mapping[str, Check]) -> tuple[str, str, bytes]:
    if path == "/livez":
        return "200 OK", "text/plain", b"alive\n"
    if path == "/readyz":
        failing = await failures(checks)
        said = "".join(f"{name}: {why}\n" for name, why in failing.items()) or "ready\n"
        return "503 Service Unavailable" if failing else "200 OK", "text/plain", said.encode()
    if path == "/metrics":
        await measure(database)
        return "200 OK", CONTENT_TYPE_LATEST, generate_latest()
    return "404 Not Found", "text/plain", b"/metrics, /livez, /readyz\n"


async def failures(checks: Mapping[str, Check]) -> dict[str, str]:
    """Run the checks side by side; return what failed and how, in one word each."""

    async def failure(check: Check) -> str:
        try:
            async with asyncio.timeout(CHECK_S):
                await check()
        except Exception as error:
            return type(error).__name__
        return ""

    said = await asyncio.gather(*(failure(check) for check in checks.values()))
    return {name: why for name, why in zip(checks, said, strict=True) if why}


async def measure(database: Database) -> None:
    """Set the gauges from the database, which knows what waits; the queue server knows what it was told."""
    o, x = t.jobs.c, t.outbox.c
    async with database.read() as tx:
        counted = select(o.queue, o.state, func.count(), func.min(o.created_at)).where(
            o.state.in_(("queued", "running"))
        )
        jobs = (await tx.c.execute(counted.group_by(o.queue, o.state))).all()
        waiting = (await tx.c.execute(select(x.queue, func.count()).group_by(x.queue))).all()
    for gauge in (DEPTH, AGE, OUTBOX):
        gauge.clear()
    for queue, state, count, oldest in jobs:
        DEPTH.labels(queue, state).set(count)
        if state == "queued":
            AGE.labels(queue).set(max(0.0, time.time() - oldest))
    for queue, count in waiting:
        OUTBOX.labels(queue).set(count)
