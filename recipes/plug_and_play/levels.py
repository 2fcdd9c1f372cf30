"""Levels of noise: image units in the code, grey levels of 255 for people.

Command lines and files have grey levels, which are converted here, once on the way in or out.
"""

import argparse

from recipes.plug_and_play.search import Settings

NAMES = ("noise", "first", "last", "level")  # of the options and settings that are levels


def in_image_units(level: float) -> float:
    """Return a level of noise, given in grey levels of 255, in image units."""
    return level / 255


def in_grey_levels(level: float) -> float:
    """Return a level of noise, given in image units, in grey levels: 25, 27.5."""
    grey = round(255 * level, 6)
    return int(grey) if grey == int(grey) else grey


def option(text: str) -> float:
    """Return what a command line gives in grey levels, for `type` of an option."""
    try:
        return in_image_units(float(text))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of grey levels") from None


def read(settings: Settings) -> Settings:
    """Return settings of a file as the code has them."""
    return {
        name: in_image_units(value) if name in NAMES else value for name, value in settings.items()
    }


def written(settings: Settings) -> Settings:
    """Return settings, or options of a command, as files have them."""
    return {
        name: in_grey_levels(value) if name in NAMES and value is not None else value
        for name, value in settings.items()
    }
