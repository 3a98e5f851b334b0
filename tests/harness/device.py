"""What stands in for a camera on a cable where a machine has none: a named pipe that FFmpeg opens as its device.

It gives our moving picture with the bar code, raw and in real time. It can be pulled out, hang and be plugged in again.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import threading
import time
from pathlib import Path
from typing import Self

from sightline.media.picture import MovingPicture

RATE = 30


class Device:
    """A pipe at `path` from `__enter__` on; without it, FFmpeg finds no such device."""

    def __init__(self, path: Path, *, size: tuple[int, int] = (320, 180)) -> None:
        self.path = path
        self._size = size
        self._numbers = itertools.count()
        self._out = threading.Event()
        self._flows = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def source(self) -> str:
        """What to write after `--source`."""
        return f"ffmpeg:yuv4mpegpipe:{self.path}"

    def __enter__(self) -> Self:
        self.plug_in()
        return self

    def __exit__(self, *_: object) -> None:
        self.pull_out()

    def plug_in(self) -> None:
        """There it is, and it goes on counting."""
        os.mkfifo(self.path)
        self._out = threading.Event()
        self._flows.set()
        self._thread = threading.Thread(target=self._main, args=(self._out,), daemon=True)
        self._thread.start()

    def pull_out(self) -> None:
        """Its file is gone, and who reads it gets no more."""
        self._out.set()
        self._flows.set()
        self.path.unlink(missing_ok=True)
        if self._thread is not None:
            self._thread.join(10)

    def hang(self) -> None:
        """It is there, and gives nothing: whoever reads waits in the kernel."""
        self._flows.clear()

    def go_on(self) -> None:
        """It gives pictures again."""
        self._flows.set()

    def _main(self, out: threading.Event) -> None:
        while not out.is_set():
            try:
                pipe = os.open(self.path, os.O_WRONLY | os.O_NONBLOCK)
            except OSError as error:  # nobody reads it, or it is pulled out
                if error.errno not in (errno.ENXIO, errno.ENOENT):
                    raise
                out.wait(0.02)
                continue
            os.set_blocking(pipe, True)
            with contextlib.suppress(BrokenPipeError), open(pipe, "wb", buffering=0) as stream:
                self._play(stream, out)

    def _play(self, stream: object, out: threading.Event) -> None:
        width, height = self._size
        drawing = MovingPicture(width, height, title="DEVICE")
        write = stream.write  # type: ignore[attr-defined]
        write(f"YUV4MPEG2 W{width} H{height} F{RATE}:1 Ip A1:1 C420jpeg\n".encode())
        due = time.monotonic()
        for number in self._numbers:
            picture = drawing.draw(number, seconds=number / RATE, caption="")
            data = b"FRAME\n" + picture.reformat(format="yuv420p").to_ndarray().tobytes()
            self._flows.wait()
            if out.is_set():
                return
            while data:
                data = data[write(data) :]
            due = max(due + 1 / RATE, time.monotonic() - 1)
            out.wait(max(0.0, due - time.monotonic()))
