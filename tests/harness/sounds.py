"""Tones in pages and files: who hears which, and whether they are in step with the picture."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
from playwright.sync_api import Page

MICROPHONE = """(hertz) => {
  globalThis.microphones = [];
  MediaDevices.prototype.getUserMedia = async () => {
    const context = new AudioContext();
    const oscillator = new OscillatorNode(context, { frequency: hertz });
    const end = new MediaStreamAudioDestinationNode(context);
    oscillator.connect(new GainNode(context, { gain: 0.3 })).connect(end);
    oscillator.start();
    microphones.push(...end.stream.getTracks());
    return end.stream;
  };
}"""
"""A microphone before which somebody whistles; an init script when it is called with the pitch."""

LISTEN = """async (selector) => {
  const video = document.querySelector(selector);
  const context = new AudioContext();
  await context.resume();
  const analyser = new AnalyserNode(context, { fftSize: 8192, smoothingTimeConstant: 0 });
  context.createMediaStreamSource(new MediaStream(video.srcObject.getAudioTracks())).connect(analyser);
  const levels = new Float32Array(analyser.frequencyBinCount);
  globalThis.heard = (hertz) => {
    analyser.getFloatFrequencyData(levels);
    const at = Math.round(hertz * analyser.fftSize / context.sampleRate);
    return Math.max(...levels.slice(at - 2, at + 3));
  };
}"""
"""Makes ``heard(hertz)`` in a page: decibels of a tone in a video's sound, by FFT."""


def raw_sound(path: Path, seconds: float = 1.0) -> np.ndarray:
    """The last seconds of a WAV file that is still being written, in mono, from -1 to 1; empty when it is shorter."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return np.zeros(0)
    begin = content.find(b"data") + 8
    samples = np.frombuffer(content[begin : begin + (len(content) - begin) // 4 * 4], np.int16).reshape(-1, 2)
    count = round(seconds * 48_000)
    return samples[-count:, 0].astype(np.float64) / 32768 if begin > 8 and len(samples) >= count else np.zeros(0)


def strength(sound: np.ndarray, hertz: float) -> float:
    """A tone's amplitude, by FFT."""
    if not len(sound):
        return 0.0
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound)))) / (len(sound) / 4)
    at = round(hertz * len(sound) / 48_000)
    around = max(4, round(at * 0.03))  # a talker's clock is followed by up to 2 %
    return float(spectrum[max(0, at - around) : at + around + 1].max())


BEEPS = """async ([selector, seconds]) => {
  const video = document.querySelector(selector);
  // A graph of its own for each look: one that was held up once stays late by what it has buffered meanwhile.
  const context = new AudioContext({ latencyHint: 'interactive' });
  await context.resume();
  const code = `registerProcessor('beeps', class extends AudioWorkletProcessor {
    sine = 0; cosine = 0; count = 0;
    process([[samples]]) {
      for (let at = 0; at < (samples?.length ?? 0); at++) {
        const angle = 2 * Math.PI * 880 * (currentFrame + at) / sampleRate;
        this.sine += samples[at] * Math.sin(angle);
        this.cosine += samples[at] * Math.cos(angle);
        if (++this.count === 240) {
          this.port.postMessage([(currentFrame + at + 1) / sampleRate, Math.hypot(this.sine, this.cosine) / 120]);
          this.sine = this.cosine = this.count = 0;
        }
      }
      return true;
    }
  })`;
  await context.audioWorklet.addModule(URL.createObjectURL(new Blob([code], { type: 'text/javascript' })));
  const worklet = new AudioWorkletNode(context, 'beeps');
  const levels = [], pictures = [], clocks = [], begun = performance.now();
  worklet.port.onmessage = ({ data }) => levels.push(data);
  context.createMediaStreamSource(new MediaStream(video.srcObject.getAudioTracks())).connect(worklet);
  await new Promise((resolve) => {
    const each = (_now, { expectedDisplayTime }) => {
      pictures.push([barCode.read(video), expectedDisplayTime / 1000]);
      clocks.push(performance.now() / 1000 - context.currentTime);
      if (performance.now() - begun < seconds * 1000) video.requestVideoFrameCallback(each);
    };
    video.requestVideoFrameCallback(each);
    setTimeout(resolve, seconds * 1000 + 200);
  });
  await context.close();
  return { levels, pictures, clocks };
}"""


BUFFERED = 0.01
"""Seconds that the sound takes from the track into the page's audio graph: one of WebRTC's buffers."""


def lip_sync(page: Page, *, rate: int, seconds: float = 5.0) -> list[float]:
    """By how many seconds each beep of the test source is played after its picture is shown.

    The beep of 880 Hz begins with the picture whose number is a whole second. It is taken as it comes from the track,
    before any sound card, whose delay Chromium knows and this graph has not. The page needs ``bypass_csp``.
    """
    seen = page.evaluate(BEEPS, ["video", seconds])
    zeros = [shown - number / rate for number, shown in seen["pictures"] if number is not None]
    levels = seen["levels"]
    if not zeros or not levels:
        return []
    zero, clock = float(np.median(zeros)), float(np.median(seen["clocks"]))
    half = max(level for _, level in levels) / 2
    onsets = [
        at + clock - BUFFERED for (_, before), (at, level) in pairwise(levels) if before < half <= level and half > 0.01
    ]
    return [(onset - zero + 0.5) % 1.0 - 0.5 for onset in onsets]
