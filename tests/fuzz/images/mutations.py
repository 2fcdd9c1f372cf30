"""Changes at random, by what the formats are made of: lengths, sizes, chunks, segments, tags."""

import re
import struct
import zlib

import numpy as np

from tests.fuzz.changes import (
    ANY,
    Change,
    Rng,
    any_number,
    cut,
    cut_little,
    flip,
    packed,
    pick,
    repeat,
    word,
)

LONGEST = 2**22  # bytes of a file that is changed once more
BOMBS = [2**20 + 1, 2**22, 2**26]  # bytes of text


def change(files: dict[str, bytes], seed: int, number: int) -> tuple[str, bytes]:
    """Return the name of the file that is changed, and its new content: the same each time."""
    rng = np.random.default_rng([seed, number])
    name = pick(rng, list(files))
    return name, mutate(rng, name, files)


def mutate(rng: Rng, name: str, files: dict[str, bytes]) -> bytes:
    """Return one of the files with one to four changes, most of them of its own format."""
    content = files[name]
    own = _OF_FORMAT[name.split()[0]]
    for _ in range(int(rng.choice([1, 1, 1, 2, 2, 3, 4]))):
        change = pick(rng, own) if rng.random() < 0.75 else pick(rng, ANY)
        if 8 < len(content) < LONGEST:
            content = change(rng, content)
    if rng.random() < 0.02:  # the front of one, the end of another
        other = files[pick(rng, list(files))]
        content = content[: rng.integers(len(content) + 1)] + other[rng.integers(len(other)) :]
    return content


# ---- PNG


def _png_chunks(content: bytes) -> list[list[bytes]]:
    chunks, at = [], 8
    while at + 8 <= len(content):
        length = int.from_bytes(content[at : at + 4], "big")
        chunks.append([content[at + 4 : at + 8], content[at + 8 : at + 8 + length]])
        at += 12 + length
    return chunks


def _png_joined(rng: Rng, chunks: list[list[bytes]], lies: float = 0.1) -> bytes:
    content = b"\x89PNG\r\n\x1a\n"
    for name, data in chunks:
        length = any_number(rng, 32) if rng.random() < lies / len(chunks) else len(data)
        check = zlib.crc32(name + data) ^ (rng.random() < lies / len(chunks))
        content += struct.pack(">I", length) + name + data + struct.pack(">I", check)
    return content


def _png_header(rng: Rng, content: bytes) -> bytes:
    chunks = _png_chunks(content)
    if not chunks or len(chunks[0][1]) != 13:
        return content
    fields = list(struct.unpack(">IIBBBBB", chunks[0][1]))
    which = int(rng.integers(7))
    fields[which] = any_number(rng, 32 if which < 2 else 5)
    chunks[0][1] = struct.pack(">IIBBBBB", *fields)
    return _png_joined(rng, chunks)


def _png_data(rng: Rng, content: bytes) -> bytes:
    """Change bytes in a chunk, whose check sum is right all the same."""
    chunks = _png_chunks(content)
    filled = [each for each in chunks if each[1]]
    if filled:
        each = pick(rng, filled)
        each[1] = pick(rng, [flip, word, cut, repeat])(rng, each[1])
    return _png_joined(rng, chunks) if chunks else content


def _png_pixels(rng: Rng, content: bytes) -> bytes:
    """Change the unpacked bytes of the pixels: filters, values, their number."""
    chunks = _png_chunks(content)
    try:
        lines = zlib.decompress(b"".join(data for name, data in chunks if name == b"IDAT"))
    except zlib.error:
        return content
    lines = pick(rng, [flip, cut, repeat, cut_little])(rng, lines) if len(lines) > 1 else lines
    where = next(at for at, each in enumerate(chunks) if each[0] == b"IDAT")
    chunks = [each for each in chunks if each[0] != b"IDAT"]
    return _png_joined(rng, [*chunks[:where], [b"IDAT", zlib.compress(lines)], *chunks[where:]])


def _png_order(rng: Rng, content: bytes) -> bytes:
    chunks = _png_chunks(content)
    if not chunks:
        return content
    first, second = (int(each) for each in rng.integers(len(chunks), size=2))
    how = int(rng.integers(4))
    if how == 0:
        chunks[first], chunks[second] = chunks[second], chunks[first]
    elif how == 1:
        del chunks[first]
    elif how == 2:
        chunks.insert(second, list(chunks[first]))
    else:
        names = [b"tEXt", b"zTXt", b"iTXt", b"eXIf", b"iCCP", b"tRNS", b"PLTE", b"acTL", b"abCd"]
        chunks.insert(first, [pick(rng, names), rng.bytes(int(rng.integers(0, 40)))])
    return _png_joined(rng, chunks) if chunks else content


def _png_bomb(rng: Rng, content: bytes) -> bytes:
    chunks, key = _png_chunks(content), b"Story\0"
    data = packed(int(pick(rng, BOMBS)))
    bombs = [[b"zTXt", key + b"\0" + data], [b"iTXt", key + b"\1\0\0\0" + data]]
    chunks.insert(1, pick(rng, [*bombs, [b"iCCP", key + b"\0" + data]]))
    return _png_joined(rng, chunks)


# ---- JPEG


def _jpeg_segments(content: bytes) -> tuple[list[list], bytes]:
    """Return the segments before the pixels, by their markers, and the rest."""
    segments, at = [], 2
    while at + 4 <= len(content) and content[at] == 0xFF and content[at + 1] != 0xDA:
        length = int.from_bytes(content[at + 2 : at + 4], "big")
        segments.append([content[at + 1], content[at + 4 : at + 2 + length]])
        at += 2 + max(length, 2)
    return segments, content[at:]


def _jpeg_joined(rng: Rng, segments: list[list], rest: bytes) -> bytes:
    content = b"\xff\xd8"
    for marker, data in segments:
        lie = rng.random() < 0.1 / len(segments)
        length = any_number(rng, 16) if lie else min(len(data) + 2, 65_535)
        content += struct.pack(">BBH", 0xFF, marker, length) + data
    return content + rest


def _jpeg_frame(rng: Rng, content: bytes) -> bytes:
    segments, rest = _jpeg_segments(content)
    for each in segments:
        if 0xC0 <= each[0] <= 0xCF and each[0] != 0xC4 and len(each[1]) > 6:
            data = bytearray(each[1])
            which = int(rng.integers(5))
            if which < 2:
                struct.pack_into(">H", data, (1, 3)[which], any_number(rng, 16))
            elif which == 2:
                each[0] = 0xC0 + int(rng.integers(16))
            elif which == 3:
                data[int(rng.integers(len(data)))] = int(rng.integers(256))
            else:
                data[7 + 3 * int(rng.integers((len(data) - 6) // 3))] = int(
                    pick(rng, [0x11, 0x22, 0x41, 0x14, 0x44, 0])
                )
            each[1] = bytes(data)
    return _jpeg_joined(rng, segments, rest) if segments else content


def _jpeg_order(rng: Rng, content: bytes) -> bytes:
    segments, rest = _jpeg_segments(content)
    if not segments:
        return content
    at, how = int(rng.integers(len(segments))), int(rng.integers(4))
    if how == 0:
        del segments[at]
    elif how == 1:
        segments.insert(int(rng.integers(len(segments))), list(segments[at]))
    elif how == 2 and segments[at][1]:
        segments[at][1] = pick(rng, [flip, word, cut])(rng, segments[at][1])
    else:
        heads = [
            b"Exif\0\0",
            b"ICC_PROFILE\0\1\1",
            b"http://ns.adobe.com/xap/1.0/\0",
            b"Adobe",
            b"",
        ]
        length = int(pick(rng, [0, 5, 60, 65_000]))
        marker = 0xE0 + int(rng.integers(16)) if rng.random() < 0.9 else 0xFE
        segments.insert(at, [marker, pick(rng, heads) + rng.bytes(length)])
    return _jpeg_joined(rng, segments, rest) if segments else content


def _jpeg_scan(rng: Rng, content: bytes) -> bytes:
    start = max(content.find(b"\xff\xda"), 0)
    head, scan = content[:start], content[start:]
    if len(scan) < 4:
        return content
    how = int(rng.integers(5))
    if how == 0:  # the end comes too early
        return head + scan[: int(rng.integers(2, len(scan)))] + b"\xff\xd9"
    if how == 1:
        return head + flip(rng, scan)
    if how == 2:  # once more, and again
        return head + scan[:-2] * int(pick(rng, [2, 30, 1200])) + scan[-2:]
    at = int(rng.integers(2, len(scan)))
    marker = bytes([0xFF, int(pick(rng, [0xD0, 0xD7, 0xC4, 0xDB, 0xDA, 0xD9, 0xFF]))])
    return head + scan[:at] + marker + scan[at + 2 * (how == 3) :]


# ---- WebP, BMP


def _webp_chunk(rng: Rng, content: bytes) -> bytes:
    found = [
        each.start() for each in re.finditer(b"VP8[XL ]|ANIM|ANMF|ALPH|ICCP|EXIF|XMP ", content)
    ]
    if not found:
        return content
    at, changed, how = int(pick(rng, found)), bytearray(content), int(rng.integers(4))
    if how == 0 and at + 8 <= len(content):
        struct.pack_into("<I", changed, at + 4, any_number(rng, 32))
    elif how == 1:
        changed[at : at + 4] = pick(rng, [b"VP8X", b"VP8L", b"VP8 ", b"ANMF", b"ALPH", b"EXIF"])
    elif how == 2:
        del changed[at : at + 8 + int.from_bytes(changed[at + 4 : at + 8], "little")]
    else:
        start = min(at + 8 + int(rng.integers(12)), len(changed) - 1)
        changed[start] = int(rng.integers(256))
    return bytes(changed)


def _webp_size(rng: Rng, content: bytes) -> bytes:
    changed = bytearray(content)
    for name, where in ((b"VP8X", 12), (b"VP8L", 9), (b"VP8 ", 14)):
        at = content.find(name)
        if at >= 0 and at + where + 4 <= len(content):
            struct.pack_into("<HH", changed, at + where, any_number(rng, 16), any_number(rng, 16))
    return bytes(changed)


def _bmp_header(rng: Rng, content: bytes) -> bytes:
    if len(content) < 54:
        return content
    changed = bytearray(content)
    places = [(2, "I"), (10, "I"), (14, "I"), (18, "I"), (22, "I"), (26, "H"), (28, "H"), (30, "I")]
    places += [(34, "I"), (46, "I"), (50, "I")]
    at, code = pick(rng, places)
    struct.pack_into("<" + code, changed, at, any_number(rng, 8 * struct.calcsize("<" + code)))
    return bytes(changed)


_BOXES = (
    b"ftyp|meta|hdlr|pitm|iloc|iinf|infe|iprp|ipco|ispe|pixi|av1C|hvcC|colr|auxC|ipma|irot|mdat"
)


def _box(rng: Rng, content: bytes) -> bytes:
    """Change the length, the name or the content of a box, or leave it out."""
    found = [each.start() for each in re.finditer(_BOXES, content) if each.start() >= 4]
    if not found:
        return content
    at, changed, how = int(pick(rng, found)), bytearray(content), int(rng.integers(5))
    length = int.from_bytes(content[at - 4 : at], "big")
    if how == 0:
        struct.pack_into(">I", changed, at - 4, any_number(rng, 32))
    elif how == 1:
        changed[at : at + 4] = pick(rng, _BOXES.split(b"|"))
    elif how == 2:
        del changed[at - 4 : at - 4 + length]
    else:
        start = at + 4 + int(rng.integers(max(min(length, 40), 1)))
        width = 4 if how == 3 else 1
        if start + width <= len(changed):
            changed[start : start + width] = any_number(rng, 8 * width).to_bytes(width, "big")
    return bytes(changed)


# ---- TIFF


def _tiff_entry(rng: Rng, content: bytes) -> bytes:
    order = "<" if content[:1] == b"I" else ">"
    big = content[2:4] in (b"+\0", b"\0+")
    start = struct.unpack_from(order + "Q", content, 8)[0] if big else 0
    start = start if big else struct.unpack_from(order + "I", content, 4)[0]
    head, size = (8, 20) if big else (2, 12)
    if start + head > len(content):
        return content
    count = int.from_bytes(content[start : start + head], {"<": "little", ">": "big"}[order])
    at = start + head + size * int(rng.integers(max(min(count, 100), 1)))
    if at + size > len(content):
        return content
    changed, how = bytearray(content), int(rng.integers(6))
    if how == 0:
        struct.pack_into(order + "H", changed, at + 2, int(rng.integers(20)))  # type
    elif how == 1:
        struct.pack_into(
            order + ("Q" if big else "I"), changed, at + 4, any_number(rng, 32)
        )  # count
    elif how == 2:
        tags = [254, 256, 257, 258, 259, 262, 266, 273, 274, 277, 278, 279, 282, 284, 296, 317, 320]
        tags += [
            322,
            323,
            324,
            325,
            330,
            338,
            339,
            347,
            530,
            700,
            33550,
            33922,
            34665,
            34675,
            34853,
        ]
        struct.pack_into(order + "H", changed, at, pick(rng, tags))
    elif how == 3:
        struct.pack_into(order + "I", changed, at + (12 if big else 8), any_number(rng, 32))
    elif how == 4:  # a short number stands in the first half
        small = int(rng.integers(12)) if rng.random() < 0.7 else any_number(rng, 16)
        struct.pack_into(order + "H", changed, at + (12 if big else 8), small)
    else:
        tail = at + size + size * max(count - 1, 0)
        if tail + 4 <= len(content):
            struct.pack_into(order + "I", changed, tail, any_number(rng, 32))
    return bytes(changed)


_OF_FORMAT: dict[str, list[Change]] = {
    "png": [_png_header, _png_data, _png_pixels, _png_order, _png_header, _png_data, _png_bomb],
    "jpeg": [_jpeg_frame, _jpeg_order, _jpeg_scan],
    "webp": [_webp_chunk, _webp_size],
    "bmp": [_bmp_header],
    "avif": [_box],
    "heif": [_box],
    "tiff": [_tiff_entry],
}
