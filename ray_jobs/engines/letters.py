"""Where lines of letters are in a picture: PP-OCRv6's detector, carried by the rapidocr package.

The package's weights are read without importing it, and run by onnxruntime; both are Apache-2.0.
Without it nothing is detected, and the job says so.

Source: Liao et al., "Real-time Scene Text Detection with Differentiable Binarization" (2020).
"""

from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ray_jobs.carried import carried
from ray_jobs.failures import Failure

MODEL = "models/PP-OCRv6_det_small.onnx"
SHA256 = "090f04abcd9d9a7498bc4ebf677e4cb9bdce1fe4197ddb7e529f1ef44e1ff94f"
IDENTITY = "pp-ocrv6 small (rapidocr)"
MISSING = "none (rapidocr is not installed)"
SHORT_SIDE = 192
"""Pixels to look at: a line of 1/50 of a picture's height is still found, in 80 ms of one core."""
STRIDE = 32
INK, SURE = 0.3, 0.75
"""A pixel's likelihood that counts, and the mean of those of a line."""
TALLEST = 0.3
"""Of a picture's height: what is taller is no line, but people and leaves that look like one."""
GROWN = 1.5
"""The detector marks the core of a line; this times its area by its outline is missing around."""

Picture = npt.NDArray[np.uint8]


class Line(NamedTuple):
    """The sides of a line of letters as shares of the picture, from its left and its top."""

    left: float
    top: float
    right: float
    bottom: float


def engine() -> str:
    """What detects letters on this node, for the job's report."""
    return IDENTITY if _weights() else MISSING


def available() -> bool:
    return _weights() is not None


def letters_in(picture: Picture) -> list[Line]:
    """The lines of letters in RGB [h, w, 3], from the top; nothing in a picture without pixels.

    Raises
    ------
    Failure
        `model_missing` or `model_damaged` where the package or its file is not what is known.
    """
    import cv2

    height, width = picture.shape[:2]
    if not height or not width:
        return []
    scale = min(1.0, SHORT_SIDE / min(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    padded = np.full((1, 3, *(-(-side // STRIDE) * STRIDE for side in size[::-1])), -1, np.float32)
    padded[0, :, : size[1], : size[0]] = small[..., ::-1].transpose(2, 0, 1) / 127.5 - 1
    detector = _detector()
    [likely] = detector.run(None, {detector.get_inputs()[0].name: padded})
    likely = np.asarray(likely)[0, 0, : size[1], : size[0]]
    count, at, boxes, _ = cv2.connectedComponentsWithStats((likely > INK).astype(np.uint8))
    sure = np.bincount(at.ravel(), likely.ravel(), count) / np.bincount(at.ravel(), None, count)
    lines = [
        _line(box, size)
        for box, sureness in zip(boxes[1:].tolist(), sure[1:], strict=True)
        if sureness >= SURE and box[3] <= TALLEST * size[1]
    ]
    return sorted(lines, key=lambda line: (line.top, line.left))


def _line(box: list[int], size: tuple[int, int]) -> Line:
    left, top, width, height, area = box
    around = GROWN * area / (2 * (width + height))
    return Line(
        max(0.0, (left - around) / size[0]), max(0.0, (top - around) / size[1]),
        min(1.0, (left + width + around) / size[0]), min(1.0, (top + height + around) / size[1]),
    )  # fmt: skip


@cache
def _weights() -> Path | None:
    return carried("rapidocr", MODEL)


@cache
def _detector() -> Any:
    path = _weights()
    if path is None:
        raise Failure("model_missing", "The letters' model is not installed: pip install rapidocr.")
    if sha256(path.read_bytes()).hexdigest() != SHA256:
        raise Failure("model_damaged", f"{path} is not the file of {IDENTITY}: install it again.")
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.inter_op_num_threads = options.intra_op_num_threads = 1
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
