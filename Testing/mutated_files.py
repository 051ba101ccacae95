"""Small valid files of every kind that the product reads, and damaged copies of them."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from random import Random

import numpy as np
import SimpleITK as sitk
from dicom_factory import ct_slice, write, write_slices

SHAPE = (4, 16, 18)
"""Slices, rows and columns of the volumes."""
HOSTILE_TEXTS = (
    *(b"", b"-", b"-1", b"-3", b"0", b"1e999", b"nan", b"inf", b"2147483647", b"4294967296"),
    *(b"99999999999999999999", b"1" * 5000, b"%s%s%n", b"%0999999999d", b"%d", b"LIST", b"LOCAL"),
    *(b"../../etc/passwd", b"/dev/zero", b"/etc/passwd", b"\0", b"\r", b"\n\n", b"(", b"none"),
    *(b"double", b"MET_DOUBLE", b"gzip", b"raw", b"ascii", b"true", b"null", b"[" * 3000, b"{}"),
    *(b"1e308", b"NaN", b"[]", b'"x"', b"\xff\xfe"),
)
HOSTILE_BYTES = (
    *(b"\0" * 4, b"\xff" * 4, b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f", b"\0\0\xc0\x7f"),
    *(b"\0\0\x80\x7f", b"\0\x80", b"\xff\x7f", b"\1\0", b"\0\1", b"\0" * 64, b"\xff" * 64),
)


def volume() -> np.ndarray:
    """Return (slices, rows, columns) int16 HU, different at every voxel."""
    return (np.arange(np.prod(SHAPE)).reshape(SHAPE) * 7 % 2000 - 1000).astype("<i2")


def _image() -> sitk.Image:
    image = sitk.GetImageFromArray(volume())
    image.SetSpacing((0.75, 0.75, 2.5))
    return image


def _write(path: Path, image: sitk.Image, *, compress: bool) -> Path:
    sitk.WriteImage(image, str(path), useCompression=compress)
    return path


def _split(path: Path, named: bytes, values: bytes) -> Path:
    """Replace the one data file of a header by several, one per slice."""
    content = re.sub(rb"(?m)^CompressedData.*\n", b"", path.read_bytes())
    path.write_bytes(re.sub(named, lambda _: values, content))
    for number, plane in enumerate(volume()):
        path.with_name(f"p{number}.raw").write_bytes(plane.tobytes())
    return path


def _model(folder: Path) -> Path:
    import torch  # takes seconds, which tests of volumes need not wait for
    from PseudoCTDenoiseLib.models.catalog import DENOISER, PREFIX
    from PseudoCTDenoiseLib.models.networks import UNet
    from PseudoCTDenoiseLib.models.store import Manifest, save_model

    torch.manual_seed(0)
    manifest = Manifest("own", DENOISER, "UNet", {"widths": [4, 8]}, training={"scans": ["A"]})
    save_model(UNet(widths=[4, 8]), manifest, folder)
    return folder / f"{PREFIX}own.json"


def _text_nrrd(path: Path) -> Path:
    header = b"NRRD0004\ntype: short\ndimension: 3\nsizes: 18 16 4\nspacings: 0.75 0.75 2.5\n"
    numbers = " ".join(map(str, volume().ravel())).encode()
    path.write_bytes(header + b"encoding: ascii\n\n" + numbers + b"\n")
    return path


SEEDS: dict[str, Callable[[Path], Path]] = {
    "NRRD": lambda folder: _write(folder / "a.nrrd", _image(), compress=False),
    "NRRD, gzip": lambda folder: _write(folder / "a.nrrd", _image(), compress=True),
    "NRRD, text": lambda folder: _text_nrrd(folder / "a.nrrd"),
    "NRRD, data file": lambda folder: _write(folder / "a.nhdr", _image(), compress=False),
    "NRRD, numbered files": lambda folder: _split(
        _write(folder / "a.nhdr", _image(), compress=False),
        rb"data file: .*\n",
        b"data file: p%01d.raw 0 3 1\n",
    ),
    "NRRD, list of files": lambda folder: _split(
        _write(folder / "a.nhdr", _image(), compress=False),
        rb"data file: .*\n+",
        b"data file: LIST\np0.raw\np1.raw\np2.raw\np3.raw\n",
    ),
    "MetaImage": lambda folder: _write(folder / "a.mha", _image(), compress=False),
    "MetaImage, zlib": lambda folder: _write(folder / "a.mha", _image(), compress=True),
    "MetaImage, data file": lambda folder: _write(folder / "a.mhd", _image(), compress=True),
    "MetaImage, numbered files": lambda folder: _split(
        _write(folder / "a.mhd", _image(), compress=False), rb"a\.raw", b"p%01d.raw 0 3 1"
    ),
    "MetaImage, list of files": lambda folder: _split(
        _write(folder / "a.mhd", _image(), compress=False),
        rb"a\.raw",
        b"LIST\np0.raw\np1.raw\np2.raw\np3.raw",
    ),
    "NIfTI": lambda folder: _write(folder / "a.nii", _image(), compress=False),
    "NIfTI, float": lambda folder: _write(
        folder / "a.nii", sitk.Cast(_image(), sitk.sitkFloat32), compress=False
    ),
    "NIfTI, gzip": lambda folder: _write(folder / "a.nii.gz", _image(), compress=True),
    "DICOM file": lambda folder: write(ct_slice(), folder / "a.dcm"),
    "DICOM folder": lambda folder: write_slices(folder / "slices"),
    "Manifest of a model": _model,
    "Weights of a model": _model,
}
"""Kinds of files: name → function that writes a valid one to a folder and returns its path."""


def damage(kind: str, path: Path, random: Random) -> None:
    """Damage a file that :data:`SEEDS` wrote in one to three places, often in its header."""
    if kind == "DICOM folder":
        target = random.choice(sorted(path.iterdir()))
    elif kind == "Weights of a model":
        target = path.with_suffix(".npz")
    else:
        files = (
            sorted(path.parent.iterdir()) if "file" in kind and path.suffix != ".dcm" else [path]
        )
        target = random.choice([path, path, path, *files])
    content = target.read_bytes()
    # A change of compressed bytes rarely gets further than the checksum.
    inside = kind == "NIfTI, gzip" and random.random() < 0.7
    content = gzip.decompress(content) if inside else content
    is_text = kind.startswith(("NRRD", "MetaImage", "Manifest")) and target == path
    for _ in range(random.randint(1, 3)):
        content = (_damage_text if is_text and random.random() < 0.8 else _damage_bytes)(
            content, random
        )
    target.write_bytes(gzip.compress(content) if inside else content)
    if kind == "Weights of a model" and random.random() < 0.9:
        values = json.loads(path.read_text())
        path.write_text(
            json.dumps(values | {"sha256": hashlib.sha256(target.read_bytes()).hexdigest()})
        )


def _damage_text(content: bytes, random: Random) -> bytes:
    """Change a line, a word or a number of a text header."""
    header = content[:2000]
    lines = header.split(b"\n")
    at = random.randrange(len(lines))
    choice = random.randrange(5)
    if choice == 0:
        lines.insert(at, random.choice(lines))
    elif choice == 1:
        del lines[at]
    elif choice == 2:
        other = random.randrange(len(lines))
        lines[at], lines[other] = lines[other], lines[at]
    else:
        words = list(re.finditer(rb"[^\s:=,\[\]{}()]+", lines[at]))
        if words:
            word = random.choice(words)
            new = random.choice(HOSTILE_TEXTS)
            lines[at] = lines[at][: word.start()] + new + lines[at][word.end() :]
    return b"\n".join(lines) + content[2000:]


def _damage_bytes(content: bytes, random: Random) -> bytes:
    """Change, insert, remove or cut bytes, most of them in the first 600."""
    size = min(len(content), 600) if random.random() < 0.8 else len(content)
    at = random.randrange(size) if size else 0
    choice = random.randrange(6)
    if choice == 0:
        return content[:at]
    if choice == 1:
        return content[:at] + bytes([random.randrange(256)]) + content[at + 1 :]
    if choice == 2:
        return content[:at] + content[at + random.randint(1, 16) :]
    if choice == 3:
        return content[:at] + random.choice(HOSTILE_TEXTS) + content[at:]
    new = random.choice(HOSTILE_BYTES)
    at -= at % 2
    return content[:at] + new + content[at + len(new) :]
