"""The weights of the zoo that are trained here: which recipe makes each, how, and from what.

`recipes/TRAINING.md` says in what order, how long it takes and how far it is. This module needs
nothing but Python, so that a machine can be prepared with it before anything is installed.
"""

from dataclasses import dataclass

BSD = ("bsds500/train", "bsds500/test")
BSD_T91 = (*BSD, "t91")
ALL = (*BSD_T91, "photos")


@dataclass(frozen=True)
class Row:
    """One weight.

    Attributes:
        name: Of the weight.
        recipe: Module in `recipes`.
        options: Words of its command line, apart from folders and the machine.
        images: Folders of training images, below the folder of all data.
    """

    name: str
    recipe: str
    options: str
    images: tuple[str, ...]


_BLIND = "--sigma 55 --sigma-min 0 --patch 50 --batch 64"
_EDSR = "--batch 32 --learning-rate 0.0004"
_JPEG = "--jpeg 5:99 --jpeg-encoder device"
_FROM_X2 = f"{_EDSR} --init edsr-baseline-x2"

ROWS = {
    row.name: row
    for row in (
        Row("dncnn-gray-25", "dncnn", "--variant S --sigma 25", BSD),
        Row("edsr-baseline-x2", "edsr", f"--scale 2 {_EDSR}", ALL),
        Row("srcnn-955-x3", "srcnn", "--scale 3", BSD_T91),
        Row("srcnn-955-x2", "srcnn", "--scale 2 --patch 80 --steps 24000", BSD_T91),
        Row("srcnn-955-x4", "srcnn", "--scale 4 --patch 96 --steps 24000", BSD_T91),
        Row("dncnn-gray-blind", "dncnn", f"--variant B {_BLIND}", BSD),
        Row("dncnn-color-blind", "dncnn", f"--variant C {_BLIND}", BSD),
        Row("dphsir", "dphsir", "--loss mae", BSD_T91),
        Row(
            "dphsir-small",
            "dphsir",
            "--variant small --sigma 50 --loss mae --steps 18000 --batch 8 --patch 48",
            BSD_T91,
        ),
        Row("ffdnet-color", "ffdnet", "--channels 3 --sigma 75", ALL),
        Row("ffdnet-gray", "ffdnet", "--channels 1 --sigma 75 --patch 70", ALL),
        Row("edsr-baseline-x3", "edsr", f"--scale 3 --patch 144 {_FROM_X2}", ALL),
        Row("edsr-baseline-x4", "edsr", f"--scale 4 --patch 192 {_FROM_X2}", ALL),
        Row("edsr-full-x2", "edsr", f"--scale 2 --variant full {_EDSR}", ALL),
        Row("span-x2", "span", "--scale 2", ALL),
        Row("span-x3", "span", "--scale 3 --patch 144 --init span-x2", ALL),
        Row("span-x4", "span", "--scale 4 --patch 192 --init span-x2", ALL),
        Row("span-x2-photo", "span", "--scale 2 --photo --init span-x2", ALL),
        Row("dncnn-jpeg", "dncnn", f"--variant C {_JPEG} --patch 64 --batch 64", ALL),
    )
}
