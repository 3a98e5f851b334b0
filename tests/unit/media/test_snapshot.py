"""One picture as an image file."""

from __future__ import annotations

from pathlib import Path

import av
import pytest

from sightline.errors import MediaError, UnsupportedMedia
from sightline.media.bar_code import read_bar_code
from sightline.media.picture import MovingPicture
from sightline.media.snapshot import check_snapshot_path, save_picture

FORMATS = {".jpg": b"\xff\xd8\xff", ".jpeg": b"\xff\xd8\xff", ".PNG": b"\x89PNG"}


@pytest.mark.parametrize(("suffix", "magic"), FORMATS.items())
def test_the_file_is_of_its_kind_and_shows_the_picture(tmp_path: Path, suffix: str, magic: bytes) -> None:
    path = tmp_path / f"photo{suffix}"
    drawn = MovingPicture(640, 360, title="TEST").draw(4711, seconds=1, caption="")
    save_picture(drawn, path)
    assert path.read_bytes().startswith(magic)
    with av.open(str(path)) as image:
        seen = next(image.decode(video=0)).to_ndarray(format="rgb24")
    assert read_bar_code(seen) == 4711
    assert abs(seen.mean() - drawn.to_ndarray(format="rgb24").mean()) < 3, "the brightness is right"
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


def test_other_names_and_places_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedMedia, match=r"\.jpg"):
        check_snapshot_path(Path("photo.gif"))
    drawn = MovingPicture(320, 180, title="TEST").draw(1, seconds=1, caption="")
    with pytest.raises(MediaError, match="cannot be written"):
        save_picture(drawn, tmp_path / "nowhere" / "photo.png")
