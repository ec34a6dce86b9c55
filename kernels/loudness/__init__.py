"""Programme loudness and true peak: ITU-R BS.1770-5, EBU R 128, EBU Tech 3341 and 3342."""

from types import ModuleType
from typing import Any

import numpy as np

from kernels.loudness.hops import hops_of
from kernels.loudness.reference import SILENCE, TAPS, LoudnessResult, result_of

__all__ = ["SILENCE", "LoudnessResult", "Meter", "measure"]

HELD_HOPS = 16
"""So many hops are waited for, that short blocks are measured as fast as long ones."""


class Meter:
    """A streaming meter, of one signal or of a batch: 8 bytes per 100 ms, whatever the length.

    Any split into blocks gives the same bits, and so does any number of threads.

    Parameters
    ----------
    rate_hz : samples per second, 8,000 to 384,000.
    channels : 1 to 64; six are taken as L R C LFE Ls Rs, eight likewise with a back pair, and any
        other number as fronts of weight one (BS.1770-5 table 4).
    batch : signals measured side by side, 1 or more.
    peaks : whether true peaks are looked for; without, `true_peak_dbtp` is NaN.
    """

    def __init__(self, rate_hz: int, channels: int, batch: int = 1, *, peaks: bool = True) -> None:
        if not 8_000 <= rate_hz <= 384_000:
            raise ValueError(f"rate_hz must be 8000 to 384000, not {rate_hz}")
        if not 1 <= channels <= 64:
            raise ValueError(f"channels must be 1 to 64, not {channels}")
        if batch < 1:
            raise ValueError(f"batch must be 1 or more, not {batch}")
        self.rate_hz, self.channels, self.batch = rate_hz, channels, batch
        self.samples = 0
        self._peaks = peaks
        self._hop = 0
        self._peak: Any = None
        self._energies: list[Any] = []
        self._path: ModuleType | None = None
        self._line: Any = None

    def push(self, block: Any) -> None:
        """Measure the next samples: float, [samples, channels], or [batch, samples, channels].

        NumPy arrays and torch tensors on the CPU are measured there, tensors on a CUDA device
        there; one meter keeps to one device. What is not finite counts as 0.
        """
        if block.ndim == 1 and self.channels == 1:
            block = block[:, None]
        if block.ndim == 2 and self.batch == 1:
            block = block[None]
        if block.ndim != 3 or (block.shape[0], block.shape[2]) != (self.batch, self.channels):
            wanted = f"[{self.batch}, samples, {self.channels}]"
            raise ValueError(f"block must be {wanted}, not {tuple(block.shape)}")
        path = _path_of(block)
        if self._path is None:
            self._start(path, block)
        elif path is not self._path:
            raise ValueError("a meter must stay on the device of its first block")
        if block.shape[1]:
            self._walk(path, path.as_line(block))

    def result(self) -> LoudnessResult:
        """What was measured so far of the only signal; the meter may go on."""
        if self.batch != 1:
            raise ValueError(f"a batch of {self.batch} must be asked for its results")
        return self.results()[0]

    def results(self) -> list[LoudnessResult]:
        """What was measured so far of each signal; the meter may go on."""
        path = self._path
        if path is None:
            energies, peak = np.zeros((self.batch, 0)), np.zeros(self.batch, np.float32)
        else:
            self._line = self._through(path, self._line, self._edge(self._hop) - self._hops.context)
            # A filter's length of silence lets the last samples' peak be seen.
            line = path.join([self._line, path.silence(self._line, TAPS)]) if self._peaks else None
            peak = path.peak_of(line, self._hops, self._peak) if self._peaks else self._peak
            energies, peak = path.fetched(self._energies, peak)
        peak = peak if self._peaks else np.full(self.batch, np.nan, np.float32)
        return [result_of(e, float(p)) for e, p in zip(energies, peak, strict=True)]

    def _start(self, path: ModuleType, block: Any) -> None:
        self._path = path
        self._hops = hops_of(self.rate_hz, self.channels, path.PARTS)
        self._left, self._peak = path.nothing(block, self._hops)
        self._line = path.silence(block, self._hops.context)

    def _edge(self, hop: int) -> int:
        return hop * self.rate_hz // 10

    def _walk(self, path: ModuleType, block: Any) -> None:
        """A long block is copied only where it meets what was held, and at its end."""
        context, start = self._hops.context, self.samples
        origin = self._edge(self._hop) - context
        self.samples += block.shape[1]
        meeting = -(-(start + context) * 10 // self.rate_hz)
        if meeting >= self.samples * 10 // self.rate_hz:
            self._line = path.join([self._line, block])
            if self._line.shape[1] - context >= self._edge(HELD_HOPS):
                self._line = self._through(path, self._line, origin)
            return
        met = -(-meeting * self.rate_hz // 10) - start
        self._through(path, path.join([self._line, block[:, :met]]), origin)
        self._line = self._through(path, block, start)

    def _through(self, path: ModuleType, line: Any, origin: int) -> Any:
        """Measure the whole hops of a line that begins at sample `origin`; what they leave."""
        hops, first = self._hops, self._hop
        last = (origin + line.shape[1]) * 10 // self.rate_hz
        if last > first:
            heard, self._left, peak = path.analyse(
                line, origin, first, last, hops, self._left, self._peak if self._peaks else None
            )
            self._peak = self._peak if peak is None else peak
            self._energies.append(heard)
            self._hop = last
        return path.join([line[:, self._edge(self._hop) - hops.context - origin :]])


def measure(samples: Any, rate_hz: int, *, peaks: bool = True) -> LoudnessResult:
    """Measure a whole signal, [samples] or [samples, channels], as `Meter` does."""
    samples = samples[:, None] if samples.ndim == 1 else samples
    meter = Meter(rate_hz, samples.shape[1], peaks=peaks)
    meter.push(samples)
    return meter.result()


def _path_of(block: Any) -> ModuleType:
    if getattr(block, "is_cuda", False):
        from kernels.loudness import fused

        return fused
    from kernels.loudness import cpu

    return cpu
