"""Which way up a picture is: the display matrix of phones and cameras, in right angles."""

from typing import Any, NamedTuple, cast

import numpy as np
import numpy.typing as npt
from av.video.frame import VideoFrame
from typing_extensions import Buffer

Picture = npt.NDArray[Any]


class Turn(NamedTuple):
    """How a stored picture becomes upright: swap its axes first, then mirror."""

    transposed: bool
    mirror_x: bool
    mirror_y: bool

    @property
    def clockwise_deg(self) -> int:
        """By how much the stored picture is turned to be upright: 0, 90, 180 or 270."""
        if self.transposed:
            return 90 if self.mirror_x else 270
        return 180 if self.mirror_x and self.mirror_y else 0

    def upright(self, picture: Picture) -> Picture:
        """The stored picture [h, w, …] as it is to be shown (a view)."""
        turned = picture.swapaxes(0, 1) if self.transposed else picture
        return turned[:: -1 if self.mirror_y else 1, :: -1 if self.mirror_x else 1]

    def stored(self, picture: Picture) -> Picture:
        """The upright picture [h, w] as the stored one lies (a view): undoes `upright`."""
        turned = picture[:: -1 if self.mirror_y else 1, :: -1 if self.mirror_x else 1]
        return turned.swapaxes(0, 1) if self.transposed else turned


UPRIGHT = Turn(transposed=False, mirror_x=False, mirror_y=False)


def orientation(frame: VideoFrame) -> Turn:
    """The frame's display matrix (ISO/IEC 14496-12, 8.3.2) in right angles."""
    side_data = frame.side_data.get("DISPLAYMATRIX")
    if side_data is None:
        return UPRIGHT
    a, b, _, c, d = np.frombuffer(memoryview(cast("Buffer", side_data)), np.int32)[:5].tolist()
    transposed = abs(b) > abs(a)
    x, y = (c, b) if transposed else (a, d)
    return Turn(transposed, mirror_x=x < 0, mirror_y=y < 0)
