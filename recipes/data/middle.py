"""The middle of a picture, for measurements that would take too long on all of it."""

import numpy as np


def middle(image: np.ndarray, side: int) -> np.ndarray:
    """Return the square in the middle of an image, `(height, width, ...)`, a view.

    Along an axis that is shorter than its side all is kept.
    """
    top, left = (max(length - side, 0) // 2 for length in image.shape[:2])
    return image[top : top + side, left : left + side]
