"""Restoration of files and folders: what is to be done, what is done already, what went wrong."""

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from zoo.app.command import UsageError
from zoo.app.progress import Job, Progress
from zoo.machine.files import make_folder, replacing
from zoo.machine.locks import locked
from zoo.machine.parts import remove_abandoned
from zoo.machine.walk import walk
from zoo.pictures.formats import COMMON, FORMAT_OF, SUFFIXES
from zoo.pictures.photos import MEGAPIXELS, read_header
from zoo.pictures.picture import Picture
from zoo.pictures.rows import open_rows
from zoo.pictures.writers import check_limits, open_writer
from zoo.restoring.bands import Settings, plan, restore_bands
from zoo.restoring.levels import Found, found, level_of
from zoo.restoring.network import Network
from zoo.restoring.remarks import remark_on_picture
from zoo.store.choice import ChoiceError

LOCK = ".asykeras-restore.lock"


@dataclass
class Jobs:
    """What is to be done.

    Attributes:
        folder: Holds all results.
        jobs: In the order of the inputs, folders sorted by path.
        problems: Sentences about what cannot be done.
        remarks: Sentences about what is left out.
        shared: Whether other runs may write into the folder at the same time.
    """

    folder: Path
    jobs: list[Job] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    shared: bool = False


def find_jobs(inputs: Sequence[str | os.PathLike[str]], out: str | os.PathLike[str]) -> Jobs:
    """Return the files to restore and where each goes.

    Folders are searched recursively, their structure is kept below `out`; hidden files, links to
    folders and what lies in `out` are left out. A link to a file is followed where it stays in the
    folder. For one file, `out` is also the file of its result, which is told by the ending of a
    picture: one of the input's format, which a result keeps.
    """
    names, target = [Path(name) for name in inputs], Path(out)
    if target.suffix.lower() in FORMAT_OF and not target.is_dir():
        return _one_job(names, target)
    if target.exists() and not target.is_dir():
        raise UsageError(f"{target} must be a folder: the results go there under their own names")
    found = Jobs(target)
    for name in names:
        if name.is_dir():
            _add_folder(name, found)
        elif name.exists():
            found.jobs.append(Job(name, target / name.name))
        else:
            found.problems.append(f"there is no {name}")
    found.jobs = list(_without_clashes(found))
    return found


def _one_job(names: Sequence[Path], target: Path) -> Jobs:
    """Return the job of one file whose result has a name of its own."""
    if len(names) > 1 or names[0].is_dir():
        raise UsageError(
            f"{target} is the name of one picture: give one file, or name a folder for the results"
        )
    source, found = names[0], Jobs(target.parent, shared=True)
    if not source.exists():
        found.problems.append(f"there is no {source}")
        return found
    format = FORMAT_OF.get(source.suffix.lower())
    if format not in (None, FORMAT_OF[target.suffix.lower()]):
        raise UsageError(
            f"{target} would hold {format}: a result keeps the format of its input. Name it "
            f"{target.with_suffix(source.suffix)}, or convert it afterwards"
        )
    found.jobs.append(Job(source, target))
    found.jobs = list(_without_clashes(found))
    return found


def _add_folder(root: Path, found: Jobs) -> None:
    """Add the files below a folder, and note what is left out."""
    if os.path.realpath(root) == os.path.realpath(found.folder):
        raise UsageError(f"{root} cannot be both input and output")
    there = walk(root, SUFFIXES, without=found.folder)
    found.jobs += [Job(path, found.folder / path.relative_to(root)) for path in there.files]
    found.problems += there.problems
    found.remarks += [text for text in (there.omissions(root), there.not_followed(root)) if text]
    if not there.files and not there.problems:
        found.problems.append(f"{root} holds no image ({COMMON})")


def _without_clashes(found: Jobs) -> Iterator[Job]:
    """Yield the jobs whose result would overwrite neither an input nor another result."""
    first: dict[str, Path] = {}
    for job in found.jobs:
        target = os.path.realpath(job.target)
        if target == os.path.realpath(job.source):
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
    network_for: Callable[[Picture], Network],
    settings: Settings,
    megapixels: float = MEGAPIXELS,
    true_colour: bool = False,
    advance: Callable[[float], None] = lambda share: None,
    by_level: Callable[[str, float], Network | None] | None = None,
) -> str:
    """Restore one file, whole or not at all; return what is not kept and what it is not good for.

    `advance` is told the share that is done, up to 1; all else is as in `restore_files`.
    """
    photo = read_header(job.source, megapixels)
    if true_colour:
        photo = replace(photo, stored="")
    if by_level is None:
        todo = Found(settings.sigma, network_for(photo.picture), "")
    else:
        with open_rows(photo) as rows:  # read once more, for its noise
            level = level_of(rows, photo.picture)
        todo = found(str(photo.path), level, by_level(photo.picture.colour, level))
        settings = replace(settings, sigma=todo.level)
    if todo.network is None:
        make_folder(job.target.parent)
        with replacing(job.target) as part:
            shutil.copyfile(job.source, part)
        return todo.remark
    network = todo.network
    scale = network.use.scale
    check_limits(photo, scale)
    its_plan = plan(network, photo.picture, settings)
    with open_rows(photo) as rows:
        make_folder(job.target.parent)
        with replacing(job.target) as part, open_writer(photo, part, scale) as writer:
            done = 0
            for band in restore_bands(its_plan, rows):
                writer.write(band)
                done += len(band)
                advance(done / (scale * photo.picture.height))
    purpose = remark_on_picture(network, photo.picture)
    return "; ".join(filter(None, (todo.remark, photo.remark, rows.remark, purpose)))


def restore_files(
    found: Jobs,
    network_for: Callable[[Picture], Network],
    settings: Settings,
    *,
    overwrite: bool = False,
    megapixels: float = MEGAPIXELS,
    true_colour: bool = False,
    by_level: Callable[[str, float], Network | None] | None = None,
    progress: Progress,
) -> bool:
    """Restore files one after the other; return whether all went well.

    A file that fails does not stop the others. Another run that writes into the folder does.

    Args:
        found: What `find_jobs` returned; its folder is made if need be.
        network_for: From a picture to what restores it, by `Picture.colour` and `.quality`.
        settings: How they are restored.
        overwrite: Whether to restore files again whose result is there.
        megapixels: Limit for the size of a picture.
        true_colour: Whether palettes become RGB, and single bits grey.
        by_level: Where the level of the noise is to be found in each picture: from its colour and
            its level to what restores it, None where nothing is to, instead of `network_for`. What
            is not restored is copied.
        progress: Told what happens.
    """
    for remark in found.remarks:
        progress.remark(remark)
    for problem in found.problems:
        progress.problem(problem)
    make_folder(found.folder)
    with nullcontext() if found.shared else _alone(found.folder):
        for folder in {job.target.parent for job in found.jobs}:
            remove_abandoned(folder)
        waiting = [job for job in found.jobs if _is_waiting(job, overwrite, progress)]
        pictures = {job: _picture(job, megapixels, progress) for job in waiting}
        readable = {job: picture for job, picture in pictures.items() if picture}
        # networks are chosen by these
        each_kind = {(each.colour, each.quality or 0): each for each in readable.values()}
        for _, picture in sorted(each_kind.items()) if by_level is None else ():
            with suppress(ChoiceError):  # said for each of the pictures below
                network_for(picture)  # what is wrong with the network is said before work starts
        progress.start([picture.height * picture.width for picture in readable.values()])
        for job, picture in readable.items():
            progress.begin(job, picture.height * picture.width)
            try:
                remark = restore_file(
                    job, network_for, settings, megapixels, true_colour, progress.advance, by_level
                )
                progress.done(job, remark)
            except Exception as error:  # whatever it is, the other files are not to blame
                progress.failed(error, job.source)
    return not progress.problems


def _is_waiting(job: Job, overwrite: bool, progress: Progress) -> bool:
    """Return whether a job is to be done, and tell why it is not."""
    if os.path.isfile(job.target):
        progress.skipped += not overwrite
        return overwrite
    if os.path.exists(job.target):
        progress.problem(f"{job.target} is no file, so the result cannot take its place")
        return False
    return True


def _picture(job: Job, megapixels: float, progress: Progress) -> Picture | None:
    """Return what a file holds, None where it cannot be restored, which is then said."""
    try:
        return read_header(job.source, megapixels).picture
    except Exception as error:
        progress.failed(error, job.source)
        return None


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep other runs out of a folder; where the system has no locks, nothing does."""
    with locked(folder / LOCK) as held:
        if held is False:
            raise UsageError(f"another run is writing into {folder}")
        yield
