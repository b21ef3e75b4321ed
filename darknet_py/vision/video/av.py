"""H.264 in MP4 by PyAV (the extra [video]): frames at their own times, and the sound of the source.

Decision: sound that MP4 holds (AAC, MP3) is copied as it is; other sound becomes AAC. It is read along with the frames,
so nothing of it waits in memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

CLOCK = 90000  # of a live source: ticks a second
COPIED = frozenset(("aac", "mp3"))  # what is in an MP4 that browsers play
QUALITY = {"crf": "23", "preset": "veryfast"}  # libx264's own default quality, at a third of its default time


class AvEncoder:
    """H.264, and sound if `sound` is a file that has some, from `start` seconds on."""

    def __init__(
        self, path: Path, size: tuple[int, int], rate: float, *, live: bool, sound: Path | None, start: float
    ) -> None:
        import av

        exact = Fraction(rate).limit_denominator(1001)
        self._container = av.open(str(path), "w", options={"movflags": "+faststart"})
        self._stream: Any = self._container.add_stream("libx264", rate=exact, options=QUALITY)
        self._stream.width, self._stream.height = size
        self._stream.pix_fmt = "yuv420p"
        self._base = Fraction(1, CLOCK) if live else 1 / exact
        self._stream.codec_context.time_base = self._base
        self._tick = -1
        self._step = float(1 / exact)
        self._sound = _Sound(self._container, sound, start) if sound else None

    def write(self, pixels: np.ndarray, time: float) -> None:
        """As `Encoder` has it."""
        import av

        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="bgr24")
        self._tick = max(self._tick + 1, round(time / self._base))
        frame.pts, frame.time_base = self._tick, self._base
        self._container.mux(self._stream.encode(frame))
        if self._sound:
            self._sound.until(time + self._step)

    def close(self) -> None:
        """As `Encoder` has it."""
        self._container.mux(self._stream.encode(None))
        if self._sound:
            self._sound.close()
        self._container.close()


class _Sound:
    """The sound of a file, from `start`, given to another container bit by bit."""

    def __init__(self, container: Any, path: Path, start: float) -> None:
        import av

        self._container, self._start = container, start
        self._input: Any = av.open(str(path))
        self._from: Any = next(iter(self._input.streams.audio), None)
        self._packets: Iterator[Any] = iter(())
        if self._from is None:
            return
        self._copied = self._from.codec_context.name in COPIED
        if self._copied:
            self._to = container.add_stream_from_template(self._from)
        else:
            self._to = container.add_stream("aac", rate=self._from.rate or 48000)
        if start:
            self._input.seek(int(start * av.time_base), backward=True)
        self._packets = self._timed()
        self._waiting: Any = None

    def _timed(self) -> Iterator[Any]:
        for packet in self._input.demux(self._from):
            if packet.pts is None or float(packet.pts * packet.time_base) >= self._start:
                yield packet

    def until(self, seconds: float) -> None:
        """Give all that is heard before so many seconds."""
        if self._from is None:
            return
        while (packet := self._waiting or next(self._packets, None)) is not None:
            self._waiting = packet
            if packet.pts is not None and float(packet.pts * packet.time_base) - self._start >= seconds:
                return
            self._waiting = None
            self._give(packet)

    def _give(self, packet: Any) -> None:
        if packet.dts is None:
            return
        if self._copied:
            shift = round(self._start / packet.time_base)
            packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
            packet.stream = self._to
            self._container.mux(packet)
            return
        for frame in packet.decode():
            frame.pts -= round(self._start / frame.time_base)
            self._container.mux(self._to.encode(frame))

    def close(self) -> None:
        """Give what the encoder still holds."""
        if self._from is not None and not self._copied:
            self._container.mux(self._to.encode(None))
        self._input.close()
