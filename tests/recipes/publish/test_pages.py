"""The guides: their tables, figures and links."""

import pytest

import zoo
from recipes.publish import diagrams, pages, readme, site, stage
from zoo.store.weight import list_weights, published_card

QUICK = [kind for kind in pages.KINDS if kind != "parameters"]


@pytest.mark.parametrize(
    "kinds", [QUICK, pytest.param(["parameters"], marks=pytest.mark.slow)], ids=["read", "counted"]
)
def test_the_tables_are_up_to_date(kinds):
    for path in pages.pages():
        text = path.read_text()
        assert pages.put_into(text, kinds) == text, f"{path}: python -m recipes.publish.pages"


def test_every_number_of_every_card_stands_on_a_page():
    """And README has a row for each weight."""
    rows = "".join(path.read_text() for path in (pages.DOCS / "networks").glob("*.md"))
    short = (pages.ROOT / "README.md").read_text()
    for name in list_weights():
        card = published_card(name)
        first = card.tests[0]
        assert f"| `{name}` | {first} | {first.psnr:.2f} | " in short
        for test in card.tests:
            row = f"| `{name}` | {test} | {test.psnr:.2f} / {test.ssim:.4f} | {test.beside()} |"
            assert row in rows
        assert pages.cards_of(card.builder)[name] == card


def test_a_run_tells_its_hours_and_the_seconds_of_its_steps():
    """Of `edsr-baseline-x2`, which was cut, those of the steps that it reached: 294 / 22.6."""
    table = pages.training()
    assert table.count("\n") == 1 + len(list_weights())
    assert "| `span-x3` | 6,000 | 0.73 | 438.5 | x86_64, 2 CPU cores |" in table
    assert "| `edsr-baseline-x2` | 22,600 | 0.08 | 13.0 | 1 NVIDIA H100 80GB HBM3" in table


def test_a_parameter_count_is_counted():
    assert "8,129" in pages.parameters("SRCNN")
    assert "| `zoo.FFDNet(channels=3)` | 852,108 |" in pages.parameters("FFDNet")


def test_every_builder_has_variants_and_a_difference():
    builders = {name for name in zoo.__all__ if name in pages.VARIANTS}
    assert builders == set(pages.VARIANTS)
    for name in builders:
        assert pages.differs(name).startswith("Differs from ")


def test_a_table_is_made_of_files(tmp_path, monkeypatch):
    monkeypatch.setattr(pages, "ROOT", tmp_path)
    (tmp_path / "a.csv").write_text('what,"dB, mean"\nbicubic,30.4\n')
    (tmp_path / "a.md").write_text("# A\n\n| x |\n|---|\n| 1 |\n\nMore.\n")
    mark, end = "<!-- table: csv a.csv -->\n", pages.END
    made = pages.put_into(f"Before.\n\n{mark}old\n{end}\nAfter.\n")
    table = "| what | dB, mean |\n|---|---|\n| bicubic | 30.4 |\n"
    assert made == f"Before.\n\n{mark}{table}{end}\nAfter.\n"
    assert pages.put_into(made) == made
    assert pages.from_markdown("a.md") == "| x |\n|---|\n| 1 |"


@pytest.mark.parametrize("text", ["<!-- table: csv a.csv -->\n", "<!-- table: nothing -->\n x"])
def test_a_table_without_end_or_of_no_kind_is_refused(text):
    with pytest.raises(ValueError, match="has no end, or is none of"):
        pages.put_into(text + ("" if "csv" in text else pages.END))


def test_the_readme_keeps_its_marks():
    with pytest.raises(ValueError, match="lacks the marks"):
        readme.put_into("no table")
    text = f"{readme.BEGIN}\nold\n{readme.END}\nmore"
    assert readme.put_into(text).count("\n| `") == len(list_weights())


@pytest.mark.parametrize("name", diagrams.NETWORKS)
def test_the_figures_are_up_to_date(name):
    assert (pages.DOCS / f"images/{name}.svg").read_text() == diagrams.svg(name)


def test_every_link_leads_to_a_file_that_is_gathered(tmp_path):
    found = stage.gather(tmp_path / "docs")
    for page in (tmp_path / "docs").rglob("*.md"):
        for target in stage.targets(page):
            assert (page.parent / target.partition("#")[0]).is_file(), f"{page}: {target}"
    names = {str(path) for path in found}
    assert {"index.md", "api/zoo.md", "images/edsr.svg", "recipes/TRAINING.md"} <= names
    assert "recipes/results/showcase.jpg" in names


def test_every_page_is_in_the_contents(tmp_path):
    contents = (pages.ROOT / "mkdocs.yml").read_text()
    for path in pages.pages():
        assert str(path.relative_to(pages.DOCS)) in contents


def test_a_link_to_nothing_is_refused(tmp_path, monkeypatch):
    for module in (pages, stage):
        monkeypatch.setattr(module, "ROOT", tmp_path)
        monkeypatch.setattr(module, "DOCS", tmp_path / "docs")
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/a.md").write_text("`[x](y)` [b](b.md#there)\n")
    with pytest.raises(stage.LinkError, match="docs/a.md leads to b.md#there, which is no file"):
        stage.gather(tmp_path / "out")
    (tmp_path / "docs/a.md").write_text("[b](../sub/b.md#there)\n")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/b.md").write_text("[home](../docs/a.md) [net](https://example.org)\n")
    stage.gather(tmp_path / "out")
    assert (tmp_path / "out/a.md").read_text() == "[b](sub/b.md#there)\n"
    assert "[home](../a.md) [net](https" in (tmp_path / "out/sub/b.md").read_text()


def test_every_public_name_has_a_place_in_the_api():
    text = "".join(path.read_text() for path in (pages.DOCS / "api").glob("*.md"))
    listed = [line.removeprefix("::: ") for line in text.splitlines() if line.startswith("::: ")]
    assert set(site.public_names()) <= set(listed)
    assert len(listed) == len(set(listed))


def test_faults_of_a_site_are_found(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(site, "public_names", lambda: ["zoo.load", "zoo.gone"])
    (tmp_path / "b").mkdir()
    (tmp_path / "b/index.html").write_text('<h2 id="zoo.load">load</h2><a href="https://x.org">')
    (tmp_path / "index.html").write_text(
        '<a href="b/"><a href="b/#zoo.load"><a href="#no"><a href="c.html">'
        '<script src="https://cdn.org/a.js"></script><img src="data:image/png;base64,AA">'
    )
    assert list(site.faults(tmp_path)) == [
        "index.html loads https://cdn.org/a.js",
        "index.html leads to #no, which is not there",
        "index.html leads to c.html, which is not there",
        "zoo.gone is not documented",
    ]
    assert site.main([str(tmp_path)]) == 1
    assert "zoo.gone is not documented" in capsys.readouterr().out


def test_a_page_that_is_out_of_date_is_named(tmp_path, monkeypatch, capsys):
    for name, value in {"ROOT": tmp_path, "DOCS": tmp_path / "docs"}.items():
        monkeypatch.setattr(pages, name, value)
    (tmp_path / "docs").mkdir()
    (tmp_path / "a.csv").write_text("x\n1\n")
    page = tmp_path / "docs/a.md"
    page.write_text(f"<!-- table: csv a.csv -->\n{pages.END}\n")
    assert pages.main(["--check"]) == 1
    assert "docs/a.md is not up to date" in capsys.readouterr().out
    assert pages.main([]) == 0
    assert "| 1 |" in page.read_text()
    assert pages.main(["--check"]) == 0
