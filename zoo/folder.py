"""Restoration of files and folders: what is to be done, what is done already, what went wrong."""

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from zoo.choice import ChoiceError
from zoo.files import locked, replacing
from zoo.images import SUFFIXES, ImageError
from zoo.network import Network
from zoo.pictures.photos import MEGAPIXELS, read_header
from zoo.pictures.picture import Picture
from zoo.pictures.rows import open_rows
from zoo.pictures.writers import check_limits, open_writer
from zoo.progress import Job, Progress
from zoo.tiling.bands import Settings, plan, restore_bands
from zoo.usage import check_colour

LOCK = ".asykeras-restore.lock"
PARTS = ".part-*"  # what `zoo.files.replacing` leaves when it is killed


class UsageError(ValueError):
    """A command that cannot be carried out as it was given, with the reason in one sentence."""


@dataclass
class Jobs:
    """What is to be done.

    Attributes:
        jobs: In the order of the inputs, folders sorted by path.
        problems: Sentences about what cannot be done.
        remarks: Sentences about what is left out.
    """

    jobs: list[Job]
    problems: list[str]
    remarks: list[str]


def find_jobs(inputs: Sequence[str | os.PathLike[str]], out: str | os.PathLike[str]) -> Jobs:
    """Return the files to restore and where each goes.

    Folders are searched recursively, their structure is kept below `out`; hidden files, links to
    folders and what lies in `out` are left out. A link to a file is followed where it stays in the
    folder.

    Args:
        inputs: Files and folders.
        out: Folder of the results.

    Raises:
        UsageError: if `out` is a file or one of the inputs.
    """
    folder = Path(out)
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} must be a folder: the results go there under their own names")
    found = Jobs([], [], [])
    for name in map(Path, inputs):
        if name.is_dir():
            if name.resolve() == folder.resolve():
                raise UsageError(f"{folder} cannot be both input and output")
            before = len(found.jobs)
            for path in _walk(name, folder, found):
                found.jobs.append(Job(path, folder / path.relative_to(name)))
            if len(found.jobs) == before and not found.problems:
                found.problems.append(f"{name} holds no image ({', '.join(SUFFIXES)})")
        elif name.exists():
            found.jobs.append(Job(name, folder / name.name))
        else:
            found.problems.append(f"there is no {name}")
    found.jobs = list(_without_clashes(found))
    return found


def _walk(root: Path, out: Path, found: Jobs) -> Iterator[Path]:
    """Yield the image files below a folder, sorted, and note what is left out."""
    home, result = root.resolve(), out.resolve()

    def unreadable(error: OSError) -> None:
        found.problems.append(f"{error.filename}: {error.strerror}")

    for here, folders, files in os.walk(root, onerror=unreadable):
        folders.sort()
        for name in list(folders):
            path = Path(here, name)
            if name.startswith(".") or path.resolve() == result or path.is_symlink():
                folders.remove(name)
                if path.is_symlink() and not path.resolve().is_relative_to(home):
                    found.remarks.append(f"{path} leads out of {root} and is not followed")
        for name in sorted(files):
            path = Path(here, name)
            if name.startswith(".") or path.suffix.lower() not in SUFFIXES:
                continue
            if path.is_symlink() and not path.resolve().is_relative_to(home):
                found.remarks.append(f"{path} leads out of {root} and is not followed")
            elif not path.is_file():
                found.problems.append(f"{path} is no file that can be read")
            else:
                yield path


def _without_clashes(found: Jobs) -> Iterator[Job]:
    """Yield the jobs whose result would overwrite neither an input nor another result."""
    first: dict[Path, Path] = {}
    for job in found.jobs:
        target = job.target.resolve()
        if target == job.source.resolve():
            found.problems.append(f"{job.source} would be overwritten by its own result")
        elif target in first:
            found.problems.append(
                f"{job.source} would be written to {job.target}, as {first[target]} is"
            )
        else:
            first[target] = job.source
            yield job


def restore_file(
    job: Job,
    network_for: Callable[[str], Network],
    settings: Settings,
    megapixels: float = MEGAPIXELS,
    true_colour: bool = False,
    advance: Callable[[float], None] = lambda share: None,
) -> str:
    """Restore one file; the result is written whole or not at all.

    Args:
        job: Where from and where to.
        network_for: See `restore_files`.
        settings: How it is restored.
        megapixels: Limit for the size of the file's picture.
        true_colour: Whether palettes become RGB, and single bits grey.
        advance: Told the share that is done, up to 1.

    Returns:
        Remarks about what is not kept and what the network is not for, or nothing.

    Raises:
        ImageError: if the file cannot be read, or its result not be held by its format.
        ValueError: if the network does not take its channels.
        OSError: if the result cannot be written.
    """
    photo = read_header(job.source, megapixels)
    if true_colour:
        photo = replace(photo, stored="")
    network = network_for(photo.picture.colour)
    scale = network.usage.scale
    check_limits(photo, scale)
    its_plan = plan(network, photo.picture, settings)
    with open_rows(photo) as rows:
        job.target.parent.mkdir(parents=True, exist_ok=True)
        with replacing(job.target) as part, open_writer(photo, part, scale) as writer:
            done = 0
            for band in restore_bands(its_plan, rows):
                writer.write(band)
                done += len(band)
                advance(done / (scale * photo.picture.height))
    purpose = check_colour(network.name, network.usage, photo.picture.colour)
    return "; ".join(filter(None, (photo.remark, rows.remark, purpose)))


def restore_files(
    found: Jobs,
    out: str | os.PathLike[str],
    network_for: Callable[[str], Network],
    settings: Settings,
    *,
    overwrite: bool = False,
    megapixels: float = MEGAPIXELS,
    true_colour: bool = False,
    progress: Progress,
) -> bool:
    """Restore files one after the other; a file that fails does not stop the others.

    Args:
        found: What `find_jobs` returned.
        out: Folder of the results, made if need be.
        network_for: From the kind of a picture (`Picture.colour`) to what restores it.
        settings: How they are restored.
        overwrite: Whether to restore files again whose result is there.
        megapixels: Limit for the size of a picture.
        true_colour: See `restore_file`.
        progress: Told what happens.

    Returns:
        Whether all went well.

    Raises:
        UsageError: if another run writes into the folder.
        OSError: if the folder cannot be written.
    """
    for remark in found.remarks:
        progress.remark(remark)
    for problem in found.problems:
        progress.problem(problem)
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder):
        waiting = [job for job in found.jobs if overwrite or not job.target.exists()]
        progress.skipped(len(found.jobs) - len(waiting))
        pictures = {job: _picture(job, megapixels, progress) for job in waiting}
        readable = {job: picture for job, picture in pictures.items() if picture}
        for colour in sorted({picture.colour for picture in readable.values()}):
            with suppress(ChoiceError):  # said for each of the pictures below
                network_for(colour)  # what is wrong with the network is said before work starts
        progress.start([picture.height * picture.width for picture in readable.values()])
        for job, picture in readable.items():
            progress.begin(job, picture.height * picture.width)
            try:
                remark = restore_file(
                    job, network_for, settings, megapixels, true_colour, progress.advance
                )
                progress.done(job, remark)
            except Exception as error:  # whatever it is, the other files are not to blame
                progress.problem(_sentence(job, error))
    return not progress.problems


def _picture(job: Job, megapixels: float, progress: Progress) -> Picture | None:
    """Return what a file holds, None where it cannot be restored, which is then said."""
    try:
        return read_header(job.source, megapixels).picture
    except Exception as error:
        progress.problem(_sentence(job, error))
        return None


def _sentence(job: Job, error: Exception) -> str:
    if isinstance(error, ImageError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or job.source}: {error.strerror}"
    reason = (str(error).strip() or type(error).__name__).splitlines()[0]
    return f"{job.source}: {reason}"


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep other runs out of a folder, and clear away what a killed one left.

    Only while no other run is at work is a half-written file known to be an orphan. Where the
    system has no locks (Windows), nothing is cleared away.
    """
    path = folder / LOCK
    with locked(path) as held:
        if held is False:
            raise UsageError(f"another run is writing into {folder}")
        if not held:
            yield
            return
        for orphan in folder.rglob(PARTS):
            shutil.rmtree(orphan, ignore_errors=True)
        try:
            yield
        finally:
            path.unlink(missing_ok=True)
