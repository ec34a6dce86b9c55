"""Which windows there are: for each start a run of ends."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Ints = NDArray[np.int64]


class Grid(NamedTuple):
    """Windows of min to max frames, every `length_step`, from every `start_step`-th frame on."""

    min_frames: int
    max_frames: int
    start_step: int = 1
    length_step: int = 1


class Pairs(NamedTuple):
    """Every pair of a start and an end, given in frames, that lie min to max frames apart."""

    starts: ArrayLike
    ends: ArrayLike
    min_frames: int
    max_frames: int


class Layout(NamedTuple):
    """Start i has the ends offsets[j] + relative x first[i], j in [begin[i], stop[i])."""

    first: Ints
    offsets: Ints
    relative: int
    begin: Ints
    stop: Ints

    @property
    def size(self) -> int:
        return int((self.stop - self.begin).sum())

    @property
    def places(self) -> Ints:
        """Where each start's windows begin among all windows."""
        number = self.stop - self.begin
        before: Ints = np.cumsum(number) - number
        return before

    def windows(self) -> tuple[Ints, Ints]:
        """Every window's start and end, by start, then by end."""
        number = self.stop - self.begin
        first = np.repeat(self.first, number)
        place = np.arange(len(first)) - np.repeat(self.places - self.begin, number)
        return first, self.offsets[place] + self.relative * first


def layout(windows: Grid | Pairs, frames: int) -> Layout:
    """Lay out the windows that fit into a number of frames; boundaries given twice count once."""
    if windows.min_frames < 1:
        raise ValueError("a window must hold at least one frame")
    if isinstance(windows, Grid):
        if windows.start_step < 1 or windows.length_step < 1:
            raise ValueError("steps must be at least one frame")
        first = np.arange(0, max(0, frames - windows.min_frames + 1), windows.start_step)
        longest = min(windows.max_frames, frames)
        offsets = np.arange(windows.min_frames, longest + 1, windows.length_step)
        room = (frames - first - windows.min_frames) // windows.length_step + 1
        stop = np.minimum(room, len(offsets))
        return Layout(first, offsets, 1, np.zeros_like(stop), stop)
    first, offsets = (np.unique(np.asarray(x, np.int64)) for x in (windows.starts, windows.ends))
    if any(len(x) and (x[0] < 0 or x[-1] > frames) for x in (first, offsets)):
        raise ValueError("every boundary must lie within the tracks")
    begin = np.searchsorted(offsets, first + windows.min_frames)
    stop = np.searchsorted(offsets, first + windows.max_frames, side="right")
    return Layout(first, offsets, 0, begin, np.maximum(begin, stop))
