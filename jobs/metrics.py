"""What an operator watches: Prometheus counters, and whether this process lives and is ready.

GET /metrics   counters and durations of this process, queues as the database has them
GET /livez     200 while the event loop turns
GET /readyz    200 while database, queue and blob store answer, 503 with what does not
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Any, Final
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import structlog
from prometheus_client import Counter, Gauge, Histogram, make_wsgi_app
from sqlalchemy import func, select

from jobs.storage import schema as t
from jobs.storage.database import Database

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

log = structlog.get_logger("atelier.metrics")

JOBS: Final = Counter("atelier_jobs_total", "Jobs by how they ended", ["kind", "outcome"])
FAILURES: Final = Counter("atelier_failures_total", "Failed jobs by reason", ["kind", "reason"])
CHECK_S: Final = 3.0
Check = Callable[[], Awaitable[None]]

BUCKETS: Final = (0.1, 0.25, 0.5, 1, 1.5, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600)
SECONDS: Final = Histogram("atelier_job_seconds", "From start to end of an attempt", ["kind"], buckets=BUCKETS)
STAGE_SECONDS: Final = Histogram(
    "atelier_stage_seconds", "Seconds spent in a stage", ["kind", "stage"], buckets=BUCKETS
)
FIRST_PORTRAIT: Final = Histogram(
    "atelier_first_portrait_seconds", "From placing a shoot to its first portrait", buckets=BUCKETS
)
DEPTH: Final = Gauge("atelier_queue_depth", "Jobs by queue and state", ["queue", "state"])
AGE: Final = Gauge("atelier_queue_age_seconds", "Age of the oldest waiting job", ["queue"])
GPU: Final = Gauge("atelier_gpu_memory_bytes", "Memory of the studio's GPU, by anybody's use of it", ["part"])
OUTBOX: Final = Gauge("atelier_outbox_depth", "Messages and events whose effect has not taken place", ["queue"])


async def serve(host: str, port: int, database: Database, checks: Mapping[str, Check]) -> None:
    """Answer the three paths until cancelled: prometheus_client's own application, and two paths beside it.

    It runs in threads, so that a hanging event loop is seen from outside: `/livez` asks the loop to turn once.
    """
    loop = asyncio.get_running_loop()
    metrics = make_wsgi_app()

    def ask(coroutine: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, loop).result(2 * CHECK_S)

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        status, said = "200 OK", ""
        try:
            if path == "/metrics":
                ask(measure(database))
                return metrics(environ, start_response)
            if path == "/livez":
                ask(asyncio.sleep(0))
                said = "alive"
            elif path == "/readyz":
                failing = ask(failures(checks))
                said = "\n".join(f"{name}: {why}" for name, why in failing.items()) or "ready"
                status = "503 Service Unavailable" if failing else status
            else:
                status, said = "404 Not Found", "/metrics, /livez, /readyz"
        except Exception as error:
            status, said = "503 Service Unavailable", type(error).__name__
        start_response(status, [("Content-Type", "text/plain; charset=utf-8")])
        return [f"{said}\n".encode()]

    with make_server(host, port, application, _Server, _Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            await asyncio.Event().wait()
        finally:
            server.shutdown()


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Handler(WSGIRequestHandler):
    timeout = 2 * CHECK_S  # for a client that connects and says nothing

    def log_message(self, format: str, *args: Any) -> None:
        """Every scrape is no event."""


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
