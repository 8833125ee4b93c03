"""Equal pixels under two identities, whatever the bytes of the files."""

from pathlib import Path

import pytest
from PIL import Image

from reidpipe.datasets.splitting import split
from tests.datasets.archives import Files, market, picture, saved, to_zip


def told(files: Files, folder: Path) -> tuple[int | float, list[str]]:
    said: list[str] = []
    zipped = to_zip(folder / "set.zip", files)
    counts = split(zipped, folder / "set.csv", "market1501", say=said.append)
    return counts["images_under_two_identities"], said


def test_different_people_look_different(tmp_path: Path) -> None:
    assert told(market(), tmp_path) == (0, [])


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("bounding_box_train/0002_c1s1_9.png", "bounding_box_train/0007_c2s1_9.png"),
        ("bounding_box_test/0003_c1s1_9.png", "bounding_box_test/0000_c2s1_9.png"),
        ("query/0003_c1s1_9.png", "bounding_box_test/0005_c2s1_9.png"),
        ("bounding_box_train/0002_c1s1_9.png", "bounding_box_test/0005_c2s1_9.png"),
    ],
)
def test_label_noise_is_named(first: str, second: str, tmp_path: Path) -> None:
    image = picture(99)
    files = {first: saved(image, "PNG"), second: saved(image.quantize().convert("RGB"), "PNG")}
    assert told(market() | files, tmp_path)[0] == 0
    files[second] = saved(
        Image.merge("RGBA", (*image.split(), Image.new("L", image.size, 255))), "PNG"
    )
    count, said = told(market() | files, tmp_path)
    assert count == 1
    assert "1 images stand under two identities" in said[0]
    assert first in said[1]
    assert second in said[1]


def test_one_person_twice_and_junk_are_no_noise(tmp_path: Path) -> None:
    same = saved(picture(99), "PNG")
    names = ["bounding_box_train/0002_c1s1_8.png", "bounding_box_train/0002_c2s1_9.png"]
    names.append("bounding_box_test/-1_c1s1_9.png")
    assert told(market() | dict.fromkeys(names, same), tmp_path) == (0, [])


def test_a_camera_for_each_image_is_noted(tmp_path: Path) -> None:
    files = {}
    for number, (name, content) in enumerate(market().items()):
        folder, _, rest = name.partition("/")
        files[f"{folder}/{rest.partition('_')[0]}_c{number + 1017}.jpg"] = content
    files = {name: content for name, content in files.items() if "/-1_" not in name}
    _, said = told(files, tmp_path)
    assert any("every image has a camera of its own" in line for line in said)


def test_a_set_of_one_camera_is_said_to_be_one(tmp_path: Path) -> None:
    files = {
        f"{name.partition('_c')[0]}_{number}.jpg": content
        for number, (name, content) in enumerate(market().items())
    }
    _, said = told(files, tmp_path)
    assert said == ["one camera: it can be trained on and searched, and is not evaluated"]
