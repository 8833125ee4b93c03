"""The film: its boxes are those of the people in it, and equal seeds are equal bytes."""

import numpy as np
import pytest

from reidpipe.synthetic import video
from reidpipe.synthetic.video import HEIGHT, WIDTH, Detection, Frame, filmed

PEOPLE, FRAMES = 3, 70


@pytest.fixture(scope="module")
def film() -> list[list[Frame]]:
    return [list(filmed(camera, people=PEOPLE, frames=FRAMES, seed=1)) for camera in (0, 1)]


@pytest.mark.slow
def test_everybody_crosses_both_cameras(film: list[list[Frame]]) -> None:
    for frames in film:
        seen = [box.person for frame in frames for box in frame.detections]
        assert sorted(set(seen)) == list(range(PEOPLE))
        assert min(seen.count(person) for person in range(PEOPLE)) > 20


@pytest.mark.slow
def test_boxes_lie_in_the_picture_and_once_per_person(film: list[list[Frame]]) -> None:
    for frame in (frame for frames in film for frame in frames):
        assert frame.pixels.shape == (HEIGHT, WIDTH, 3)
        people = [box.person for box in frame.detections]
        assert len(people) == len(set(people))
        for box in frame.detections:
            assert 0 <= box.x < box.x + box.width <= WIDTH
            assert 0 <= box.y < box.y + box.height <= HEIGHT


@pytest.mark.slow
def test_a_box_is_where_the_picture_changes(film: list[list[Frame]]) -> None:
    """Between a frame with people and one without, the camera's noise apart."""
    for frames in film:
        empty = np.median([frame.pixels for frame in frames], axis=0)
        for frame in (frame for frame in frames if len(frame.detections) == 1):
            (box,) = frame.detections
            changed = abs(frame.pixels - empty).max(2) > 60
            rows, columns = (np.flatnonzero(changed.any(axis)) for axis in (1, 0))
            if len(rows) and len(columns):
                inside = changed[box.y : box.y + box.height, box.x : box.x + box.width].sum()
                assert inside > 0.8 * changed.sum()


@pytest.mark.slow
def test_people_walk_one_way_at_a_walking_pace(film: list[list[Frame]]) -> None:
    for frames in film:
        for person in range(PEOPLE):
            places = [
                (number, box.x + box.width / 2)
                for number, frame in enumerate(frames)
                for box in frame.detections
                # A box at the edge shows a part of somebody.
                if box.person == person and box.x > 4 and box.x + box.width < WIDTH - 4
            ]
            number, middle = np.array(places).T
            slope = np.polyfit(number, middle, 1)[0] * video.PER_SECOND / video.SCALE
            assert 0.8 < abs(slope) < 1.8


def test_who_is_hidden_has_no_box() -> None:
    mask = np.zeros((80, 80), dtype=bool)
    mask[20:60, 40:44] = True
    seen = int(mask.sum())
    whole = video._detection(mask, 3, {3: seen})
    assert whole == Detection(3, 15, 9, 12, 23)  # half as wide as high, rounded outward
    assert video._detection(mask, 3, {3: seen / video.LEAST_SEEN}) == whole
    assert video._detection(mask, 3, {3: seen / video.LEAST_SEEN + 3}) is None
    assert video._detection(mask & False, 3, {3: 0}) is None


@pytest.mark.slow
def test_equal_seeds_are_equal_films_and_cameras_differ(film: list[list[Frame]]) -> None:
    again = list(filmed(0, people=PEOPLE, frames=FRAMES, seed=1))
    for one, other in zip(film[0], again, strict=True):
        assert one.detections == other.detections
        assert np.array_equal(one.pixels, other.pixels)
    assert not np.array_equal(film[0][0].pixels, film[1][0].pixels)
