"""Where viewers' voices are played: a sound card, a file, or any other output of FFmpeg's."""

from __future__ import annotations

import errno
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final, NoReturn, Protocol

import av
import av.logging

from ..errors import ConfigError, SpeakerBusy, SpeakerError, UnsupportedMedia
from .alsa import use_system_alsa
from .live_input import without_password
from .mixer import Pcm
from .voice_buffer import SAMPLE_RATE

__all__ = ["FFmpegSpeaker", "Speaker", "SpeakerMaker", "speaker_named"]

_DEVICES: Final = ("pulse", "audiotoolbox", "alsa", "sndio", "oss")
"""FFmpeg's names of sound systems; ``default`` is the first that this FFmpeg has."""

_DEFAULT_TARGETS: Final = {"oss": "/dev/dsp"}

_TELEPHONE: Final = frozenset({"pcm_mulaw", "pcm_alaw"})
"""Codecs that receivers expect at 8 kHz in mono (RFC 3551 §4.5.14)."""


class Speaker(Protocol):
    """All three are called in one thread, which they may hold up."""

    def open(self) -> None:
        """Raises SpeakerError and UnsupportedMedia."""

    def play(self, samples: Pcm) -> None:
        """20 ms. Raises SpeakerError when it can play no more."""

    def close(self) -> None:
        """Let go of it. Idempotent."""


SpeakerMaker = Callable[[], Speaker]
"""Makes one that is not open yet; another one when it was lost or hangs."""


def speaker_named(text: str) -> SpeakerMaker:
    """The speaker that ``--speaker`` names: ``default``, a file's path, or ``ffmpeg:FORMAT:TARGET``.

    Raises ConfigError for a text that names none, UnsupportedMedia for an output that this FFmpeg lacks.
    """
    if text == "default":
        format = next((name for name in _DEVICES if _has_output(name)), None)
        if format is None:
            raise UnsupportedMedia("This FFmpeg plays to no sound system. Name a file: --speaker voices.wav")
        return partial(FFmpegSpeaker, _DEFAULT_TARGETS.get(format, "default"), format)
    if text.startswith("ffmpeg:"):
        format, colon, target = text.removeprefix("ffmpeg:").partition(":")
        if not (format and colon and target):
            raise ConfigError("Such a speaker is written ffmpeg:FORMAT:TARGET, for instance ffmpeg:alsa:plughw:1,0.")
        if not _has_output(format):
            raise UnsupportedMedia(f"This FFmpeg cannot play to {format}. Choose another output.")
        return partial(FFmpegSpeaker, target, format)
    if not text:
        raise ConfigError("The speaker is empty: write default, a file, or ffmpeg:FORMAT:TARGET.")
    if "://" in text:
        raise ConfigError(f"Write the format before it: ffmpeg:FORMAT:{without_password(text)}")
    path = Path(text)
    if not path.suffix or not _has_output(path.suffix[1:].lower()):
        raise UnsupportedMedia(f"{text} is no kind of sound file that FFmpeg writes. Name it .wav, or write default.")
    if not path.absolute().parent.is_dir():
        raise SpeakerError(f"{text} cannot be written: there is no folder {path.absolute().parent}.")
    return partial(FFmpegSpeaker, text, path.suffix[1:].lower(), is_file=True)


class FFmpegSpeaker:
    """One opening of an output. A file never overwrites another one: it is numbered then."""

    def __init__(self, target: str, format: str, *, is_file: bool = False) -> None:
        """``target``: as FFmpeg names it."""
        self.name = target if is_file else f"{format} {without_password(target)}"
        self._target = target
        self._format = format
        self._is_file = is_file
        self._output: av.container.OutputContainer | None = None
        self._stream: av.AudioStream | None = None
        self._resampler: av.AudioResampler | None = None
        self._written = 0

    def open(self) -> None:
        """See ``Speaker``."""
        if self._format == "alsa":
            use_system_alsa()
        target = str(_free_path(Path(self._target))) if self._is_file else self._target
        # FFmpeg's devices say what is wrong in their log alone, and return EIO for everything.
        repeats = av.logging.get_skip_repeated()
        av.logging.set_level(av.logging.ERROR)
        av.logging.set_skip_repeated(False)
        try:
            with av.logging.Capture() as said:
                try:
                    self._open(target)
                except (OSError, ValueError, av.FFmpegError) as error:
                    self.close()
                    self._explain(error, " ".join(text for _, _, text in said))
        finally:
            av.logging.set_level(None)
            av.logging.set_skip_repeated(repeats)

    def play(self, samples: Pcm) -> None:
        """See ``Speaker``."""
        if self._output is None or self._stream is None or self._resampler is None:
            raise SpeakerError(f"The speaker {self.name} is not open.")
        frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="stereo")
        frame.sample_rate = SAMPLE_RATE
        frame.pts, self._written = self._written, self._written + len(samples)
        try:
            for part in self._resampler.resample(frame):
                self._output.mux(self._stream.encode(part))
        except (OSError, ValueError, av.FFmpegError) as error:
            self._explain(error, "")

    def close(self) -> None:
        """See ``Speaker``."""
        output, self._output = self._output, None
        stream, self._stream = self._stream, None
        if output is None:
            return
        try:
            if stream is not None and self._written:
                output.mux(stream.encode(None))
            output.close()
        except (OSError, ValueError, av.FFmpegError):
            pass  # it is gone, or was never there

    def _open(self, target: str) -> None:
        output = av.open(target, "w", format=self._format, options={"flush_packets": "1"})
        self._output = output
        codec = av.Codec(output.default_audio_codec, "w")
        rate = _nearest(codec.audio_rates or [SAMPLE_RATE])
        telephone = codec.name in _TELEPHONE
        stream = output.add_stream(codec.name, rate=8000 if telephone else rate)
        assert isinstance(stream, av.AudioStream)
        context = stream.codec_context
        context.layout = "mono" if telephone else "stereo"
        formats = codec.audio_formats
        if formats:
            context.format = formats[0]
        output.start_encoding()
        self._stream = stream
        size = context.frame_size or None
        self._resampler = av.AudioResampler(context.format, context.layout, context.sample_rate, size)

    def _explain(self, error: Exception, said: str) -> NoReturn:
        number = getattr(error, "errno", None)
        if number == errno.EBUSY or "busy" in said:
            raise SpeakerBusy(
                f"The speaker {self.name} is in use by another program. Close that, or choose another one."
            ) from None
        if number in (errno.EACCES, errno.EPERM) or "Permission denied" in said:
            raise SpeakerError(
                f"The speaker {self.name} may not be used by this user. Add it to the group audio, and log in again."
            ) from None
        if number in (errno.ENOENT, errno.ENODEV) or "No such" in said:
            raise SpeakerError(
                f"There is no speaker {self.name}. Plug it in, see which there are (aplay -L), or name a file."
            ) from None
        if number == errno.EINVAL and not self._is_file:
            raise UnsupportedMedia(
                f"The speaker {self.name} takes no sound of 48 kHz. For ALSA's devices, write plughw instead of hw."
            ) from None
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise SpeakerError(f"The speaker {self.name} cannot be played to: {without_password(reason)}.") from None


def _has_output(format: str) -> bool:
    try:
        return av.format.ContainerFormat(format, "w").is_output
    except ValueError:
        return False


def _nearest(rates: list[int]) -> int:
    return min(rates, key=lambda rate: (abs(rate - SAMPLE_RATE), rate))


def _free_path(path: Path) -> Path:
    found, number = path, 1
    while found.exists() and not found.is_fifo() and not found.is_char_device():
        number += 1
        found = path.with_stem(f"{path.stem}-{number}")
    return found
