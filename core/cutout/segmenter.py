"""Picture -> who is a person: mediapipe's selfie segmenter, coarse and sure."""

from __future__ import annotations

from typing import Any

import numpy as np

from core import weights
from core.face.landmarks import skip_close_at_exit
from core.face.tasks import BaseOptions, Image, ImageFormat, vision
from core.types import F32, U8


class Segmenter:
    """The selfie segmenter, loaded once. Deterministic for the same picture and mediapipe build."""

    def __init__(self) -> None:
        options = vision.ImageSegmenterOptions(
            base_options=BaseOptions(model_asset_path=str(weights.path("selfie_segmentation.tflite"))),
            output_confidence_masks=True,
            output_category_mask=False,
        )
        self._segmenter: Any = vision.ImageSegmenter.create_from_options(options)
        skip_close_at_exit(self._segmenter)

    def person(self, rgb: U8) -> F32:
        """Say how surely each pixel is a person: (H, W) float32 in 0..1 for a picture (H, W, 3) uint8 sRGB.

        It is asked twice, once mirrored, and sees 256 px whatever it is given.
        """
        return ((self._asked(rgb) + self._asked(rgb[:, ::-1])[:, ::-1]) / 2).astype(np.float32)

    def _asked(self, rgb: U8) -> F32:
        found = self._segmenter.segment(Image(image_format=ImageFormat.SRGB, data=np.ascontiguousarray(rgb)))
        return np.array(found.confidence_masks[0].numpy_view(), np.float32).reshape(rgb.shape[:2])
