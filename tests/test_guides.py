"""README and the guides: their Python runs, their commands are commands, README is short."""

import argparse
import importlib
import os
import re
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path

import keras
import pytest

from recipes import train
from zoo.app import cli, command

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").rglob("*.md"))]
MARK = re.compile(r"<!-- tested by (.*) -->")
BLOCK = re.compile(r"(<!-- (?:slow|tested by [^\n]*) -->\n)?```python\n(.*?)```", re.DOTALL)
PROGRAM = re.compile(r"(?:KERAS_BACKEND=\w+ )?(asykeras|python -m (recipes[\w.]*))(?: |$)")


def blocks(page, slow):
    """Return the Python of a page as one program, with or without what is marked slow.

    What needs a server or pictures has a test of its own, which the page names.
    """
    kept = [(mark, code) for mark, code in BLOCK.findall(page.read_text()) if not MARK.match(mark)]
    return "\n".join(code for mark, code in kept if slow or not mark)


def name(page):
    return str(page.relative_to(ROOT))


QUICK = [page for page in PAGES[1:] if blocks(page, slow=False)]
SLOW = [page for page in PAGES[1:] if blocks(page, slow=True) != blocks(page, slow=False)]


def run(page, slow, folder, monkeypatch):
    (folder / "zoo").symlink_to(ROOT / "zoo")  # what a block writes does not lie in the clone
    monkeypatch.chdir(folder)
    exec(compile(blocks(page, slow), name(page), "exec"), {"__name__": name(page)})


@pytest.mark.parametrize("page", QUICK, ids=name)
def test_the_blocks_run(page, tmp_path, monkeypatch):
    run(page, False, tmp_path, monkeypatch)


@pytest.mark.slow
@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="exports need TensorFlow")
@pytest.mark.parametrize("page", SLOW, ids=name)
def test_the_slow_blocks_run_too(page, tmp_path, monkeypatch):
    pytest.importorskip("onnxruntime")
    run(page, True, tmp_path, monkeypatch)


def test_blocks_that_are_tested_elsewhere_name_the_test():
    named = {mark for page in PAGES for mark in MARK.findall(page.read_text())}
    assert len(named) == 3
    assert all((ROOT / path).is_file() for path in named)


def test_the_examples_of_the_readme_run(tmp_path):
    """In a process of their own, as somebody would."""
    found = [code for _, code in BLOCK.findall(README.read_text())]
    assert len(found) == 2
    (tmp_path / "zoo").symlink_to(ROOT / "zoo")
    shape = "assert large.shape == (4 * photo.shape[0], 4 * photo.shape[1], 3)"
    done = subprocess.run(
        [sys.executable, "-c", "\n".join([found[0], shape, found[1]])],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "model.keras").exists()


def test_the_readme_is_short():
    assert len(README.read_text().splitlines()) <= 140


# ---- commands


@cache
def parser_of(module):
    """Return what reads the command line of a module of recipes, or of `asykeras`."""
    if module is None:
        parser = cli._parser(train._add_train)
    else:
        caught = []

        def catch(parser, *rest):
            caught.append(parser)
            return 0

        before, command.run = command.run, catch
        try:
            inner = f"{module}.__main__" if (ROOT / module.replace(".", "/")).is_dir() else module
            importlib.import_module(inner).main([])
        finally:
            command.run = before
        (parser,) = caught
    parser.add_argument("--debug", action="store_true")
    return parser


def read(line):
    """Return what reads a command, and the words that it gets."""
    words, module = shlex.split(line, comments=True), PROGRAM.match(line)[2]
    words = words[words.index("-m") + 2 if module else 1 :]
    if not module and words[:1] == ["train"] and words[1:]:
        words, module = words[2:], f"recipes.{words[1]}"
    return parser_of(module), words


def commands(page):
    """Yield the commands that stand on lines of their own, as words."""
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL).replace("\\\n", "")
    for line in re.findall(r"^    (\S.*)$", text, re.MULTILINE):
        for part in line.split(" && "):
            if PROGRAM.match(part):
                yield part


def flags(parser):
    """Return the options of a parser and of its commands."""
    found = {flag for action in parser._actions for flag in action.option_strings}
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            found |= {flag for each in action.choices.values() for flag in flags(each)}
    return found


COMMANDS = sorted({(name(page), line) for page in PAGES for line in commands(page)})


@pytest.mark.parametrize("line", sorted({line for _, line in COMMANDS}))
def test_a_command_is_understood(line, capsys):
    parser, words = read(line)
    try:
        parser.parse_args(words)
    except SystemExit as end:
        pytest.fail(f"{line}: {capsys.readouterr().err}", pytrace=bool(end.code is None))


def test_there_are_commands():
    assert len(COMMANDS) > 30
    assert len({page for page, _ in COMMANDS}) > 8


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_options_in_the_text_exist(page):
    """Of commands between backquotes, which may be cut short, and of options alone."""
    texts = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL))
    for text in texts:
        if PROGRAM.match(text):
            given = set(re.findall(r"(?<= )--[a-z0-9-]+", text))
            assert given <= flags(read(text)[0]), f"{name(page)}: {text}"


@pytest.mark.slow
@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="exports need TensorFlow")
def test_the_commands_of_the_readme_on_pictures_run(tmp_path):
    """Those of `asykeras`; `make demo` and the recipes have tests of their own."""
    pytest.importorskip("tf2onnx")
    photo = ROOT / "zoo/samples/test/casa-mila.jpg"
    (tmp_path / "photos").mkdir()
    for target in ("photos/one.jpg", "photo.jpg"):
        (tmp_path / target).write_bytes(photo.read_bytes())
    for line in commands(README):
        words = shlex.split(line, comments=True)
        if words[0] != "asykeras" or words[1] == "demo" or "model.safetensors" in words:
            continue
        done = subprocess.run(
            [sys.executable, "-m", "zoo.app.cli", *words[1:]],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, f"{line}: {done.stderr}"
    for target in ("large/one.jpg", "clean/photo.jpg", "photo-preview.png", "x3.onnx"):
        assert (tmp_path / target).exists(), target
