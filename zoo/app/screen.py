"""What a screen can show of a picture of any kind."""

import numpy as np
from PIL import Image

from zoo.pictures.picture import Picture


def on_screen(values: np.ndarray, picture: Picture) -> Image.Image:
    """Return pixels of a picture, or of what a network made of it, in 8-bit RGB without alpha."""
    colours = values[..., : picture.channels - picture.alpha]
    colours = (np.clip(colours / picture.white, 0, 1) * 255 + 0.5).astype(np.uint8)
    if picture.colour == "cmyk":
        return Image.fromarray(colours, "CMYK").convert("RGB")
    return Image.fromarray(np.broadcast_to(colours, (*colours.shape[:2], 3)))
