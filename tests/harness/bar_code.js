// Reads and draws the bar code of Sightline's clip in a page. Written from the description of the picture, not with its code:
// a strip from 0.02 to 0.98 of the width and 0.88 to 0.97 of the height holds 24 cells of equal width, white is 1:
// W B, 16 bits of frame number (highest first), 4 check bits, B W. The check nibble of the number's nibbles a b c d is
// (9 + a + 3b + 5c + 7d) mod 16.
"use strict";

globalThis.barCode = (() => {
  const LEFT = 0.02, RIGHT = 0.98, TOP = 0.88, BOTTOM = 0.97, CELLS = 24;
  const checkOf = (number) => {
    const [a, b, c, d] = [12, 8, 4, 0].map((shift) => (number >> shift) & 15);
    return (9 + a + 3 * b + 5 * c + 7 * d) & 15;
  };
  const scratch = document.createElement("canvas");
  const pen = scratch.getContext("2d", { willReadFrequently: true });

  /** The frame number in a video or canvas, or null where no valid bar code is. */
  function read(source) {
    const width = source.videoWidth || source.width, height = source.videoHeight || source.height;
    if (!width || !height) return null;
    const cell = ((RIGHT - LEFT) * width) / CELLS;
    const quarter = ((BOTTOM - TOP) * height) / 4;
    const top = Math.round(TOP * height + quarter);
    const rows = Math.max(1, Math.round(BOTTOM * height - quarter) - top);
    scratch.width = width;
    scratch.height = rows;
    pen.drawImage(source, 0, top, width, rows, 0, 0, width, rows);
    const pixels = pen.getImageData(0, 0, width, rows).data;
    const means = [];
    for (let index = 0; index < CELLS; index++) {
      const begin = Math.round(LEFT * width + cell * (index + 0.25));
      const end = Math.max(begin + 1, Math.round(LEFT * width + cell * (index + 0.75)));
      let sum = 0;
      for (let y = 0; y < rows; y++) {
        for (let x = begin; x < end; x++) {
          const at = (y * width + x) * 4;
          sum += 0.299 * pixels[at] + 0.587 * pixels[at + 1] + 0.114 * pixels[at + 2];
        }
      }
      means.push(sum / (rows * (end - begin)));
    }
    const whites = [means[0], means[23]], blacks = [means[1], means[22]];
    if (Math.min(...whites) - Math.max(...blacks) < 60) return null;
    const threshold = (whites[0] + whites[1] + blacks[0] + blacks[1]) / 4;
    let word = 0;
    for (const mean of means.slice(2, 22)) word = word * 2 + (mean > threshold ? 1 : 0);
    const number = word >> 4;
    return checkOf(number) === (word & 15) ? number : null;
  }

  /** Draw a frame number into a canvas, as the clip's frames carry theirs. */
  function draw(canvas, number) {
    const { width, height } = canvas, context = canvas.getContext("2d");
    const bits = ((number << 4) | checkOf(number)).toString(2).padStart(20, "0");
    context.fillStyle = "black";
    context.fillRect(0, Math.round((TOP - 0.02) * height), width, height);
    context.fillStyle = "white";
    [..."10" + bits + "01"].forEach((bit, index) => {
      if (bit !== "1") return;
      const edge = (at) => Math.round((LEFT + ((RIGHT - LEFT) * at) / CELLS) * width);
      context.fillRect(edge(index), Math.round(TOP * height), edge(index + 1) - edge(index), Math.round((BOTTOM - TOP) * height));
    });
  }

  /** A canvas whose frames are numbered, and its stream: a camera that a test can recognise. */
  function camera({ width = 640, height = 360, rate = 30, hue = 200 } = {}) {
    const canvas = Object.assign(document.createElement("canvas"), { width, height });
    const context = canvas.getContext("2d");
    let number = 0;
    const paint = () => {
      context.fillStyle = `hsl(${hue} 60% 40%)`;
      context.fillRect(0, 0, width, height);
      context.fillStyle = "white";
      context.fillRect((number * 5) % width, height / 3, 40, 40);
      draw(canvas, number % 65536);
      number += 1;
    };
    paint();
    setInterval(paint, 1000 / rate);
    return { canvas, stream: canvas.captureStream(rate), last: () => number - 1 };
  }

  /** Look at every frame that a video presents for some seconds. */
  function watch(video, seconds) {
    return new Promise((resolve) => {
      const numbers = [], started = performance.now();
      let first = null, last = null;
      const end = () =>
        resolve({
          numbers,
          width: video.videoWidth,
          height: video.videoHeight,
          frames: first ? last.presentedFrames - first.presentedFrames : 0,
          seconds: first ? (last.presentationTime - first.presentationTime) / 1000 : 0,
        });
      const each = (_now, frame) => {
        first ??= frame;
        last = frame;
        numbers.push(read(video));
        if (performance.now() - started >= seconds * 1000) end();
        else video.requestVideoFrameCallback(each);
      };
      video.requestVideoFrameCallback(each);
      // A picture that stands still has no callbacks; say so instead of waiting for ever.
      setTimeout(() => { if (performance.now() - started >= seconds * 1000) end(); }, seconds * 1000 + 500);
    });
  }

  return { read, draw, camera, watch };
})();
