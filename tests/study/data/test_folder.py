"""Folders of images."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from overmix.errors import ConfigError, DataError
from overmix.study import parse_study, plan_study
from overmix.study.data import load_dataset
from overmix.study.data.folder import read_image
from overmix.study.plan.trainings import open_dataset, replica_of
from overmix.study.spec.schema import DataSpec


def draw(file: Path, colour: tuple[int, int, int], size: tuple[int, int] = (12, 10)) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(file)


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    """Two classes, eight images of one colour each."""
    for k in range(8):
        draw(tmp_path / "images" / "cats" / f"{k}.png", (200, k, 0))
        draw(tmp_path / "images" / "dogs" / "deeper" / f"{k}.png", (0, k, 200))
    (tmp_path / "images" / "notes.txt").write_text("no image")
    (tmp_path / "images" / ".hidden").mkdir()
    return tmp_path / "images"


def test_a_folder_for_each_class(plain):
    data = load_dataset("folder", path=str(plain), size=8)
    assert (tuple(data.x.shape), tuple(data.x_test.shape)) == ((12, 3, 8, 8), (4, 3, 8, 8))
    assert data.class_names == ("cats", "dogs")
    assert ((data.x[:, 0, 0, 0] == 200).long() == (data.y == 0).long()).all()
    assert tuple(load_dataset("folder", path=str(plain), size=4, grey=True).x.shape[1:]) == (1, 4, 4)


def test_parts_of_their_own_and_validation_samples_are_never_trained_on(tmp_path):
    for part, count in (("train", 6), ("test", 2), ("val", 3)):
        for k in range(count):
            draw(tmp_path / part / "a" / f"{k}.png", (k, 0, 0))
            draw(tmp_path / part / "b" / f"{k}.png", (0, 0, 100 + k))
    study = {"data": {"name": "folder", "path": str(tmp_path), "size": 4}, "train": {"batch_size": 4}, "seeds": 2}
    # The switch decides on the validation images: nothing has to be held out for it.
    plan = plan_study(parse_study({**study, "compare": [{"recipe": "Mixup", "schedule": "auto"}]}))
    dataset = open_dataset(DataSpec(**plan.cells[0].data.model_dump()))
    assert (len(dataset.y), len(dataset.y_test)) == (18, 4)
    for cell in plan.cells:
        replica = replica_of(cell, dataset)
        assert replica.val_index.tolist() == list(range(12, 18))
        assert sorted(replica.train_index.tolist()) == list(range(12))
    with pytest.raises(ConfigError, match="leave it out: the data bring 6 validation samples"):
        plan_study(parse_study({**study, "data": {**study["data"], "val_size": 2}}))


def test_the_middle_is_kept_upright_and_transparency_is_black(tmp_path):
    wide = np.zeros((4, 8, 3), dtype=np.uint8)
    wide[:, 2:6] = 255
    Image.fromarray(wide).save(tmp_path / "wide.png")
    assert (read_image(tmp_path / "wide.png", 4, grey=True) == 255).all()
    Image.new("RGBA", (4, 4), (255, 255, 255, 0)).save(tmp_path / "clear.png")
    assert (read_image(tmp_path / "clear.png", 4, grey=False) == 0).all()
    tall = np.zeros((4, 4, 3), dtype=np.uint8)
    tall[0] = 255
    exif = Image.Exif()
    exif[274] = 6  # lies on its side: the first row is the right column
    Image.fromarray(tall).save(tmp_path / "side.png", exif=exif)
    assert (read_image(tmp_path / "side.png", 4, grey=True)[0, :, -1] == 255).all()


def test_what_cannot_be_read_is_named(plain, tmp_path):
    with pytest.raises(ConfigError, match="there is no such folder"):
        load_dataset("folder", path=str(tmp_path / "no"))
    with pytest.raises(ConfigError, match="use a side of 1 to 1024"):
        load_dataset("folder", path=str(plain), size=0)
    for k in range(8, 2800):
        (plain / "cats" / f"{k}.png").touch()
    with pytest.raises(ConfigError, match="more than 8 GiB"):
        load_dataset("folder", path=str(plain), size=1024)
    (tmp_path / "one" / "cats").mkdir(parents=True)
    draw(tmp_path / "one" / "cats" / "1.png", (0, 0, 0))
    with pytest.raises(DataError, match="1 of its folders hold images: make a folder for each class"):
        load_dataset("folder", path=str(tmp_path / "one"))


def test_damaged_and_deep_images_are_refused(tmp_path):
    (tmp_path / "x.png").write_bytes(b"\x89PNG nonsense")
    with pytest.raises(DataError, match=r"x\.png: it cannot be read as an image .*: remove or replace it"):
        read_image(tmp_path / "x.png", 4, grey=False)
    Image.fromarray(np.zeros((4, 4), dtype=np.uint16)).save(tmp_path / "deep.png")
    with pytest.raises(DataError, match="more than 8 bits"):
        read_image(tmp_path / "deep.png", 4, grey=True)


def test_a_class_that_is_only_tested_is_refused(plain, tmp_path):
    plain.rename(tmp_path / "train")
    draw(tmp_path / "test" / "birds" / "1.png", (0, 0, 0))
    with pytest.raises(DataError, match="test/ has the class birds, which train/ does not have"):
        load_dataset("folder", path=str(tmp_path))
