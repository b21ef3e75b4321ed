"""`darknet-py explain`: every section, from the schema that the reader uses."""

from __future__ import annotations

from darknet_py.darknet.layers import section_names

from .conftest import Run


def test_every_section_is_listed(run: Run) -> None:
    listed = {line.split()[0] for line in run("explain").stdout.splitlines()}
    assert listed == {"net", *section_names()}


def test_a_section_is_explained_from_its_schema(run: Run) -> None:
    text = run("explain", "[maxpool]").stdout
    assert "out_channels" in text
    assert text.index("out_channels") < text.index("for training only:") < text.index("burnin_update")
    assert text.index("without effect here:") < text.index("maxpool_zero_nonmax")


def test_no_default_is_a_number_that_stands_for_none(run: Run) -> None:
    for name in ("convolutional", "yolo"):
        assert not {"-1000000000", "999999", "3.4028234663852886e+38"} & set(run("explain", name).stdout.split())


def test_every_section_can_be_explained(run: Run) -> None:
    for name in ("net", *section_names()):
        assert run("explain", name).stdout.startswith(f"[{name}] (")


def test_dialects_that_differ_are_explained_apart(run: Run) -> None:
    assert run("explain", "reorg").stdout.count("[reorg] (") == 3


def test_an_unknown_section_gets_a_hint(run: Run) -> None:
    result = run("explain", "maxpol")
    assert result.exit_code == 1
    assert "did you mean 'maxpool'" in result.stderr


def test_a_code_of_lint_is_explained_with_an_example(run: Run) -> None:
    text = run("explain", "dk203").stdout
    assert text.startswith("DK203 (odd number)")
    assert "size=3x3" in text
    assert "DK203" in run("explain", "codes").stdout
