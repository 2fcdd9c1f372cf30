"""How every command ends: a failure is one sentence, a signal leaves nothing half done."""

import argparse
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from zoo.machine.failures import ZooError, sentence
from zoo.machine.signals import deliver

FAILED, WRONG_USAGE = 1, 2
Work = Callable[[argparse.Namespace], int | None]
NO_READER = 128 + 13  # as a shell reports a process that SIGPIPE ended
# Windows has no SIGHUP.
_ENDING = [signal.SIGTERM, signal.SIGINT, *filter(None, [getattr(signal, "SIGHUP", None)])]


class UsageError(ZooError):
    """A command that cannot be carried out as it was given, with the reason in one sentence."""


class Ended(KeyboardInterrupt):
    """A signal that ends the process; blocks are left in order, as for Ctrl-C."""

    def __init__(self, number: int):
        super().__init__(signal.Signals(number).name)
        self.code = 128 + number  # as a shell reports a process that a signal ended


def run(
    parser: argparse.ArgumentParser,
    work: Work,
    arguments: Sequence[str] | None = None,
    stopped: str = "stopped",
) -> int:
    """Read a command line and do its work; return the exit code.

    0, 1 for a failure, 2 for wrong usage, 130 after Ctrl-C, 143 after SIGTERM, 129 after SIGHUP,
    141 where nobody reads what is printed. `--debug` is added to the options: it prints the
    traceback of an error as well. The last word of the parser's name begins the sentences, of which
    `stopped` is said after Ctrl-C.
    """
    parser.add_argument("--debug", action="store_true", help="print the traceback of an error too")
    options = parser.parse_args(arguments)
    name = parser.prog.split()[-1].rpartition(".")[2]  # of "python -m recipes.publish"
    try:
        with ended_by_signals():
            code = work(options) or 0
            sys.stdout.flush()  # here and not at the exit, where nobody is told of a failure
            return code
    except KeyboardInterrupt as error:
        _say(f"{name}: {stopped}")
        return error.code if isinstance(error, Ended) else 128 + signal.SIGINT
    except BrokenPipeError:
        _close_output()
        return NO_READER
    except Exception as error:
        if options.debug:
            traceback.print_exc()
        _say(f"{name}: {sentence(error)}")
        return WRONG_USAGE if isinstance(error, UsageError) else FAILED


def command(
    describe: Callable[[argparse.ArgumentParser], Work], stopped: str = "stopped", module: str = ""
) -> Callable[..., int]:
    """Make the `main` of a module out of what adds its options to a parser.

    That is `describe`, which returns the work that is done with the options. The docstring of its
    module, or of the one that is named, is the text of `--help`, and its name the program, as
    `python -m` takes it, where `main` is given no other. For the rest see `run`.

    Example:
        >>> @command
        ... def main(parser):
        ...     parser.add_argument("folder", type=Path)
        ...     return lambda options: tidy(options.folder)
    """
    source = sys.modules[module or describe.__module__]
    name = source.__spec__.name if source.__spec__ else source.__name__

    def main(arguments: Sequence[str] | None = None, program: str = "") -> int:
        parser = argparse.ArgumentParser(
            prog=program or f"python -m {name.removesuffix('.__main__')}",
            description=source.__doc__,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        return run(parser, describe(parser), arguments, stopped)

    return main


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Raise `Ended` in the block for the first SIGTERM, SIGHUP or Ctrl-C.

    Later ones change nothing, but that a second Ctrl-C ends the block where it is. A signal that is
    ignored stays so (`nohup`), and in another thread than the first nothing is done: who runs the
    threads handles signals. A library written in C may lose what a handler raised and fail of
    something else: that is then the signal's doing and raised as such.
    """
    arrived: list[Ended] = []

    def end(number: int, frame: Any) -> None:
        for each in before:
            again = signal.default_int_handler if each == signal.SIGINT else signal.SIG_IGN
            signal.signal(each, again)
        arrived.append(Ended(number))
        deliver(arrived[0])

    before = {each: signal.getsignal(each) for each in _ENDING}
    before = {each: old for each, old in before.items() if old not in (None, signal.SIG_IGN)}
    try:
        for each in before:
            signal.signal(each, end)
    except ValueError:
        before = {}
    try:
        yield
    except Exception as error:
        if arrived:
            raise arrived[0] from error
        raise
    finally:
        for each, old in before.items():
            signal.signal(each, old)


def _say(line: str) -> None:
    try:
        print(line, file=sys.stderr, flush=True)
    except OSError:  # nobody reads it
        _close_output()


def _close_output() -> None:
    """Let what is still in the buffers go nowhere, or Python would complain at its exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
