"""Proves that the page about the model file shows files that can be read, and names every key."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from operations import model_file, model_flag, model_operation, model_package, model_resource, model_steps
from operations.definitions import ModelFile
from operations.model_file_path import MODEL_FILE_NAMES

PAGE = Path(__file__).resolve().parent.parent / "docs" / "model-file.md"
BLOCKS = re.findall(r"```yaml\n# (\S+)\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)


def read_block(number: int, folder: Path) -> ModelFile:
    """Read one block of the page; the block before it is there, too, when it is a file to include."""
    before, (name, text) = BLOCKS[number - 1] if number else None, BLOCKS[number]
    if before and before[0] not in MODEL_FILE_NAMES:
        (folder / before[0]).write_text(before[1])
    (folder / name).write_text(text)
    return model_file.load_model_file(str(folder / name))


def test_every_block_of_the_page_is_found() -> None:
    """A block that does not begin with the name of its file would go unread."""
    assert len(BLOCKS) == PAGE.read_text("utf-8").count("```yaml") > 10


@pytest.mark.parametrize("number", [n for n, (name, _) in enumerate(BLOCKS) if name in MODEL_FILE_NAMES])
def test_examples_are_read_without_a_warning(number: int, tmp_path: Path) -> None:
    """What the page shows is what the program reads, and each example has something to run."""
    read = read_block(number, tmp_path)

    assert read.warnings == ()
    assert any(model.operations for model in read.models)


def test_the_page_names_every_key_that_is_not_supported() -> None:
    """Whoever gets the warning finds the key on the page."""
    page = PAGE.read_text("utf-8")
    keys = (
        *model_file._UNSUPPORTED,
        *model_operation.UNSUPPORTED,
        *model_flag._UNSUPPORTED,
        *model_package._UNSUPPORTED,
        *model_resource._SOURCE_UNSUPPORTED,
        *model_steps._UNSUPPORTED,
    )

    assert [key for key in keys if f"`{key}`" not in page] == []
