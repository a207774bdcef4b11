"""Load on the server: seqclr's readers, and ddddocr behind the same server.

    python benchmarks/serving.py --exports R/onnx R/lite --data IMAGES [--clients 1 8 32] [--seconds 10]
        [--requests 100000] [--output R/serving]

Every reader is served by a process of its own, `seqclr serve`; this process is the clients, each with a connection that
stays open and one request at a time: an image as the body of POST /v1/predict. The table has requests per second, the
median and the 99th percentile of the time until the response, and the server's CPU time per request (all threads, from
/metrics). Then 32 clients send requests until there have been 1,000 and `--requests`: the resident memory after both.

ddddocr (`pip install '.[bench]'`) is served as it is installed: the same endpoint, batches and decoding of files; not
for the memory, as so many requests would take it an hour.
"""

import argparse
import asyncio
import itertools
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from commands import circumstances, write

from seqclr.data.discovery import find_images

HERE = Path(__file__).parent
WARM_UP, FIRST, MANY = 200, 1_000, 32
DDDDOCR = "import serving; serving.serve_ddddocr()"


class Server:
    """A server process, and its figures."""

    def __init__(self, words: list[str], cwd: Path | None = None):
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(HERE.parent), os.environ.get("PYTHONPATH", "")]),
        }
        self._process = subprocess.Popen(
            [sys.executable, *words], cwd=cwd, stderr=subprocess.PIPE, text=True, env=environment
        )
        printed = []
        for line in self._process.stderr:
            printed.append(line)
            if found := re.search(r"http://127.0.0.1:(\d+)/v1/predict", line):
                self.port = int(found[1])
                return
        sys.exit("the server has not started:\n" + "".join(printed))

    def metric(self, name: str) -> float:
        text = asyncio.run(ask(self.port, b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"))
        return float(re.search(rf"^{name} (\S+)$", text.decode(), re.MULTILINE)[1])

    def stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        if self._process.wait(60):
            sys.exit(f"the server ended with {self._process.returncode}")


async def ask(port: int, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    text = await reader.read()
    writer.close()
    return text


async def client(port: int, requests: Iterator[bytes], until, seconds: list[float]) -> None:
    """Sends requests on one connection until `until()`; appends the seconds of each. Exits where one fails."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while not until():
        start = time.perf_counter()
        writer.write(next(requests))
        head = await reader.readuntil(b"\r\n\r\n")
        body = await reader.readexactly(int(re.search(rb"content-length: (\d+)", head)[1]))
        seconds.append(time.perf_counter() - start)
        if not head.startswith(b"HTTP/1.1 200"):
            sys.exit(f"a request has failed: {head.splitlines()[0]!r} {body!r}")
    writer.close()


def load(server: Server, images: list[bytes], clients: int, seconds: float = 0.0, requests: int = 0) -> list[float]:
    """Asks for so many seconds, or so many requests; returns the seconds of each request."""
    head = "POST /v1/predict HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nContent-Length: {}\r\n\r\n"
    endless = itertools.cycle([head.format(len(image)).encode() + image for image in images])
    times: list[float] = []
    end = time.perf_counter() + seconds

    def until() -> bool:
        return len(times) + clients > requests if requests else time.perf_counter() > end

    async def all_of_them():
        await asyncio.gather(*(client(server.port, endless, until, times) for _ in range(clients)))

    asyncio.run(all_of_them())
    return times


def measure(server: Server, images: list[bytes], args: argparse.Namespace) -> dict:
    """The figures for every number of clients, and the memory."""
    load(server, images, MANY, requests=WARM_UP)
    found: dict = {"clients": {}}
    for clients in args.clients:
        cpu, start = server.metric("process_cpu_seconds_total"), time.perf_counter()
        times = load(server, images, clients, seconds=args.seconds)
        took, cpu = time.perf_counter() - start, server.metric("process_cpu_seconds_total") - cpu
        p50, p99 = np.percentile(times, [50, 99]) * 1000
        figures = {"per_second": len(times) / took, "p50_ms": p50, "p99_ms": p99, "cpu_ms": 1000 * cpu / len(times)}
        found["clients"][clients] = figures
        print(f"  {clients} clients: {json.dumps({k: round(v, 2) for k, v in figures.items()})}", file=sys.stderr)
    return found


def memory(server: Server, images: list[bytes], requests: int) -> dict:
    """MiB of resident memory after FIRST requests to a new server, and after all."""
    load(server, images, MANY, requests=FIRST)
    first = server.metric("process_resident_memory_bytes")
    load(server, images, MANY, requests=requests - FIRST)
    last = server.metric("process_resident_memory_bytes")
    return {"requests": requests, "first_mib": first / 2**20, "last_mib": last / 2**20, "growth": last / first - 1}


def serve_ddddocr() -> None:
    """The server of seqclr with ddddocr as its reader."""
    import ddddocr
    from PIL import Image

    from seqclr import Prediction, messages
    from seqclr.engine import signals
    from seqclr.serve.options import Options
    from seqclr.serve.server import serve

    class Reader:
        answer = "text"

        def __init__(self):
            self._ocr = ddddocr.DdddOcr(show_ad=False)

        def predict(self, images):
            return [Prediction(self._ocr.classification(Image.fromarray(image)), 1.0, True) for image in images]

    with signals.raising(), messages.on_console():
        sys.exit(serve([f"ddddocr={HERE}"], Options(port=0), lambda folder: Reader()))


def table(results: dict) -> str:
    lines = ["| reader | clients | requests/s | p50, ms | p99, ms | CPU, ms a request |", "|---|---|---|---|---|---|"]
    for reader, found in results.items():
        for clients, each in found["clients"].items():
            cells = (each["per_second"], each["p50_ms"], each["p99_ms"], each["cpu_ms"])
            lines.append(f"| {reader} | {clients} | " + " | ".join(f"{cell:.2f}" for cell in cells) + " |")
    lines += ["", f"| reader | MiB after {FIRST:,} requests | after | MiB | growth |", "|---|---|---|---|---|"]
    for reader, found in results.items():
        if kept := found.get("memory"):
            cells = f"{kept['first_mib']:.1f} | {kept['requests']:,} | {kept['last_mib']:.1f} | {kept['growth']:+.1%}"
            lines.append(f"| {reader} | {cells} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--exports", nargs="+", default=["captcha"], help="readers to serve (default: captcha)")
    parser.add_argument("--data", required=True, help="folder of images")
    parser.add_argument("--images", type=int, default=200, help="number of images, sent in turn (default: 200)")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--seconds", type=float, default=10.0, help="per number of clients (default: 10)")
    parser.add_argument("--requests", type=int, default=100_000, help="for the memory (default: 100000; 0: no memory)")
    parser.add_argument("--without-ddddocr", action="store_true")
    parser.add_argument("--output", type=Path, help="new folder for table.md and results.json")
    args = parser.parse_args()
    if args.output:
        args.output.mkdir(parents=True)
    samples, _ = find_images([args.data])
    images = [sample.read_bytes() for sample in samples[: args.images]]
    sides = {
        export: (["-m", "seqclr", "serve", f"{Path(export).name}={export}", "--port", "0"], None)
        for export in args.exports
    }
    if not args.without_ddddocr:
        sides["ddddocr"] = (["-c", DDDDOCR], HERE)
    results: dict = {}
    for name, (words, cwd) in sides.items():
        print(name, file=sys.stderr)
        server = Server(words, cwd)
        results[name] = measure(server, images, args)
        server.stop()
        if args.requests and name != "ddddocr":
            server = Server(words, cwd)
            results[name]["memory"] = memory(server, images, args.requests)
            server.stop()
    print(table(results))
    print(circumstances())
    if args.output:
        write(args.output, table(results), "`python benchmarks/serving.py`.", results)


if __name__ == "__main__":
    main()
