"""CBSD68, BSD68 in colour: 68 of the 100 test images of BSDS300, copied into a folder of their own.

    python -m recipes.data.cbsd68 BSDS300/images/test --out DATA/cbsd68

BSDS500 calls the folder `val`. Which of its images the 68 are was found by their pixels: the grey
`test001` to `test068` of BSD68 are these, in the order of the names here.
"""

import argparse
from pathlib import Path

from zoo.app.command import Work, command
from zoo.machine.files import make_folder, sha256_of_all, write_atomically
from zoo.pictures.images import ImageError

NAMES = """
101085 101087 102061 103070 105025 106024 108005 108070 108082 109053 119082 12084 123074
126007 130026 134035 14037 143090 145086 147091 148026 148089 157055 159008 160068 16077
163085 167062 167083 170057 175032 175043 182053 189080 19021 196073 197017 208001 210088
21077 216081 219090 220075 223061 227092 229036 236037 24077 241004 241048 253027 253055
260058 271035 285079 291000 295087 296007 296059 299086 300091 302008 304034 304074 306005
3096 33039 351093
""".split()
SHA256 = "300451220f81b0392b02608daa200d48574ad608683a7dc5d9f076f92fee7d89"  # as in bsds300.py


def copy_images(source: Path, out: Path) -> None:
    """Copy the 68 images, which must be the published files."""
    paths = sorted(source / f"{name}.jpg" for name in NAMES)
    for path in paths:
        if not path.is_file():
            raise ImageError(f"there is no file {path}: CBSD68 is part of BSDS300's test images")
    if (found := sha256_of_all(paths)) != SHA256:
        raise ImageError(
            f"the images of {source} are not the files that Berkeley published: the SHA-256 of the "
            f"68 is {found}"
        )
    make_folder(out)
    for path in paths:
        write_atomically(out / path.name, path.read_bytes())


@command
def main(parser: argparse.ArgumentParser) -> Work:
    """Add the options; return what is done with them."""
    parser.add_argument("source", metavar="FOLDER", help="test images of BSDS300, val of BSDS500")
    parser.add_argument("--out", required=True, metavar="DIR")
    return lambda options: copy_images(Path(options.source), Path(options.out))


if __name__ == "__main__":
    raise SystemExit(main())
