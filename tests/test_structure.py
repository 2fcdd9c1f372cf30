"""The architecture: who imports whom, what is public, and that it is documented."""

import ast
import importlib
import inspect
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# Packages in their order: each may import itself and what stands before it.
ORDER = ["asykeras", "zoo", "recipes"]
# What the lower two may import from outside; all else is imported where it is needed.
OUTSIDE = {"asykeras": {"keras", "numpy"}, "zoo": {"keras", "numpy", "PIL", "h5py"}}


# The rooms of zoo by floors: each may import what stands on the floors below, and itself.
FLOORS = [
    {"machine"},
    {"pictures", "tiling"},
    {"store", "runtimes"},
    {"networks"},
    {"restoring"},
    {"scoring", "plug_and_play"},
    {"exports"},
    {"app"},
]
# The rooms of recipes: what people type, and what that is made of.
COMMANDS = {
    *("demo", "dncnn", "dphsir", "edsr", "evaluate", "ffdnet", "plan", "restore_ray", "span"),
    *("srcnn", "start", "train"),
}
ROOMS = {"benchmark", "compare", "data", "datasets", "gpu", "plug_and_play", "publish", "scale"}
ROOMS |= {"training"}


def modules(package):
    return sorted((ROOT / package).rglob("*.py"))


def imports(path, top_level_only=False):
    tree = ast.parse(path.read_text())
    nodes = tree.body if top_level_only else ast.walk(tree)
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            yield (node.module or "").split(".")[0]


@pytest.mark.parametrize("package", ORDER)
def test_imports_go_down_only(package):
    above = set(ORDER[ORDER.index(package) + 1 :])
    for path in modules(package):
        assert not above & set(imports(path)), f"{path} imports upwards"


def imported_modules(path):
    """Yield the full names of what a file of ours imports, inside functions too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                inner = ROOT / node.module.replace(".", "/") / f"{alias.name}.py"
                yield f"{node.module}.{alias.name}" if inner.is_file() else node.module


def name_of(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def ring_in(arrows):
    """Return a ring of names that lead to each other, or nothing."""
    done = set()

    def walk(name, way):
        if name in way:
            return [*way[way.index(name) :], name]
        if name in done:
            return []
        for further in arrows.get(name, ()):
            if ring := walk(further, [*way, name]):
                return ring
        done.add(name)
        return []

    return next((ring for name in arrows if (ring := walk(name, []))), [])


def test_a_ring_is_found():
    assert ring_in({"a": ["b"], "b": ["c"], "c": []}) == []
    assert ring_in({"a": ["b"], "b": ["c"], "c": ["b"]}) == ["b", "c", "b"]


@pytest.mark.parametrize("package", ORDER)
def test_no_modules_import_each_other(package):
    names = {name_of(path): path for path in modules(package)}
    arrows = {
        name: [each for each in imported_modules(path) if each in names and each != name]
        for name, path in names.items()
    }
    assert sum(map(len, arrows.values())) > len(names) / 2  # it does read them
    assert not ring_in(arrows)


def test_the_rooms_of_zoo_stand_on_their_floors():
    floor_of = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
    there = {path.parent.name for path in (ROOT / "zoo").glob("*/__init__.py")}
    assert there == set(floor_of)
    assert {path.name for path in (ROOT / "zoo").glob("*.py")} == {"__init__.py"}
    for path in modules("zoo"):
        room = path.relative_to(ROOT / "zoo").parts[0]
        for name in imported_modules(path):
            other = name.split(".")[1] if name.startswith("zoo.") else room
            if room in floor_of and other != room:
                assert floor_of[other] < floor_of[room], f"{path} imports {name}, not from below"


def test_the_rooms_of_recipes_are_those_of_the_plan():
    there = {path.parent.name for path in (ROOT / "recipes").glob("*/__init__.py")}
    assert there == ROOMS
    assert {path.stem for path in (ROOT / "recipes").glob("*.py")} == {*COMMANDS, "__init__"}
    arrows = {}
    for path in modules("recipes"):
        parts = path.relative_to(ROOT / "recipes").with_suffix("").parts
        others = {
            name.split(".")[1] for name in imported_modules(path) if name.startswith("recipes.")
        }
        arrows.setdefault(parts[0], set()).update(others - {parts[0]})
    assert not ring_in({room: sorted(others) for room, others in arrows.items()})


@pytest.mark.parametrize("package", OUTSIDE)
def test_the_packages_lean_on_keras_and_numpy(package):
    allowed = OUTSIDE[package] | set(ORDER) | set(sys.stdlib_module_names)
    for path in modules(package):
        found = set(imports(path, top_level_only=True))
        assert found <= allowed, f"{path} imports {found - allowed}"


def test_importing_the_packages_imports_no_backend_but_the_chosen():
    code = (
        "import os, sys; os.environ['KERAS_BACKEND'] = 'jax'; import asykeras, zoo;"
        "print([name for name in ('tensorflow', 'torch') if name in sys.modules])"
    )
    pytest.importorskip("jax")
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


@pytest.mark.parametrize("package", ["asykeras", "zoo"])
def test_without_a_backend_there_is_one_sentence(package):
    code = f"import sys; sys.modules['jax'] = None; import {package}"
    environment = {**os.environ, "KERAS_BACKEND": "jax"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "ImportError: Keras has no jax to compute with: pip install tensorflow, or pip install jax "
        "and set KERAS_BACKEND=jax"
    )


@pytest.mark.parametrize("package", ["asykeras", "zoo"])
def test_exports_are_complete(package):
    module = importlib.import_module(package)
    assert len(set(module.__all__)) == len(module.__all__)
    imported = {name for name in vars(module) if not name.startswith("_")}
    exported = {name for name in imported if not inspect.ismodule(getattr(module, name))}
    assert exported == {name for name in module.__all__ if not name.startswith("_")}


@pytest.mark.parametrize("package", ["asykeras", "zoo"])
def test_everything_public_says_what_it_takes_and_shows_an_example(package):
    module = importlib.import_module(package)
    for name in module.__all__:
        item = getattr(module, name)
        if not callable(item) or (issubclass(type(item), type) and issubclass(item, Exception)):
            continue
        text = inspect.getdoc(item)
        assert text.splitlines()[0].endswith("."), f"{name}: the first line is no sentence"
        parameters = [p for p in inspect.signature(item).parameters if p not in ("self", "kwargs")]
        takes_images_alone = set(parameters) <= {"y_true", "y_pred"}
        said = (
            "Args:" in text or "Attributes:" in text or "arguments" in text.lower()
        )  # "arguments as in `psnr`"
        assert takes_images_alone or said, f"{name} does not say what it takes"


def test_there_is_no_utils():
    names = {path.stem for package in ORDER for path in modules(package)}
    assert not names & {"utils", "helpers", "common", "base", "misc"}


def test_no_lambda_layer_no_pickle_no_exec():
    for package in ORDER:
        for path in modules(package):
            text = path.read_text()
            assert "layers.Lambda" not in text, path
            assert not {"pickle", "dill"} & set(imports(path)), path
            calls = [n.func for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Call)]
            names = {f.id for f in calls if isinstance(f, ast.Name)}
            assert not names & {"exec", "eval"}, path


def test_the_tracked_files_take_at_most_30_mib():
    """So that a clone with training images and wheels travels in 64 MiB (recipes/gpu)."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode:
        pytest.skip("this is no git repository")
    paths = [ROOT / name.decode() for name in listed.stdout.split(b"\0") if name]
    sizes = {path: path.stat().st_size for path in paths if path.is_file()}
    assert len(sizes) > 100
    assert sum(sizes.values()) <= 30 * 2**20, sorted(sizes, key=sizes.get)[-5:]
