"""Makes the clip that ``demo`` and the tests show, so that nothing binary is kept in the repository.

``python -m sightline.media.clip OUT`` makes it from a shell.
"""

from __future__ import annotations

import os
import sys
import tempfile
from fractions import Fraction
from pathlib import Path

import av

from .picture import MovingPicture
from .tone import SAMPLE_RATE, tone_frame

__all__ = ["CLIP_FRAMES", "CLIP_FRAME_RATE", "CLIP_HEIGHT", "CLIP_SECONDS", "CLIP_WIDTH", "ensure_clip", "make_clip"]

CLIP_WIDTH, CLIP_HEIGHT = 640, 360
CLIP_FRAME_RATE = 30
CLIP_SECONDS = 20
CLIP_FRAMES = CLIP_SECONDS * CLIP_FRAME_RATE
"""The bar code counts from 0 to this, and begins again when the clip is played in a loop."""

_EDITION = "sightline clip 1"
"""Written into the file. To be raised when the drawing changes, so that clips made before are made anew."""

_AUDIO_SAMPLES = 1024


def ensure_clip(path: Path) -> Path:
    """The clip at ``path``, made now unless it is there already. Blocks for a second or two when it is made."""
    if not _is_current(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=".clip-", suffix=path.suffix or ".mp4", dir=path.parent)
        os.close(handle)
        unfinished = Path(name)
        try:
            make_clip(unfinished)
            # Renaming is atomic: who looks at the same time sees the whole clip or none.
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)
    return path


def make_clip(path: Path, *, seconds: float = CLIP_SECONDS) -> None:
    """Write the clip: H.264 640x360 at 30 frames per second with its frame number as a bar code, and AAC sound."""
    frames = round(seconds * CLIP_FRAME_RATE)
    picture = MovingPicture(CLIP_WIDTH, CLIP_HEIGHT, title="SIGHTLINE")
    with av.open(str(path), "w", format="mp4") as container:
        container.metadata["comment"] = _EDITION
        video = container.add_stream("libx264", rate=CLIP_FRAME_RATE, options={"preset": "veryfast", "crf": "21"})
        video.width, video.height, video.pix_fmt = CLIP_WIDTH, CLIP_HEIGHT, "yuv420p"
        audio = container.add_stream("aac", rate=SAMPLE_RATE, layout="stereo")
        resampler = av.AudioResampler(format="fltp", layout="stereo", rate=SAMPLE_RATE)
        sample = 0
        for number in range(frames):
            time = number / CLIP_FRAME_RATE
            frame = picture.draw(number, seconds=time, caption=f"{int(time) // 60:02}:{time % 60:05.2f}")
            frame.pts, frame.time_base = number, Fraction(1, CLIP_FRAME_RATE)
            container.mux(video.encode(frame))
            while sample < (number + 1) / CLIP_FRAME_RATE * SAMPLE_RATE:
                sound = tone_frame(sample, _AUDIO_SAMPLES)
                sound.pts, sound.time_base = sample, Fraction(1, SAMPLE_RATE)
                for converted in resampler.resample(sound):
                    container.mux(audio.encode(converted))
                sample += _AUDIO_SAMPLES
        container.mux(video.encode(None))
        container.mux(audio.encode(None))


def _is_current(path: Path) -> bool:
    try:
        with av.open(str(path)) as container:
            return container.metadata.get("comment") == _EDITION
    except (OSError, av.FFmpegError):
        return False


def main(arguments: list[str]) -> int:
    """Make the clip at the given path."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m sightline.media.clip OUT\n")
        return 2
    ensure_clip(Path(arguments[0]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
