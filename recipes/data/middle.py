"""The middle of a picture, for measurements that would take too long on all of it."""

import numpy as np


def middle(image: np.ndarray, side: int) -> np.ndarray:
    """Return the square in the middle of an image, `(height, width, ...)`, a view.

    Args:
        image: Of any type.
        side: Of the square in pixels; along an axis that is shorter all is kept.

    Example:
        >>> middle(np.zeros((321, 481, 3)), 256).shape
        (256, 256, 3)
    """
    top, left = (max(length - side, 0) // 2 for length in image.shape[:2])
    return image[top : top + side, left : left + side]
