/**
 * What a video shows now, as a PNG in its own resolution.
 *
 * @param {HTMLVideoElement} video
 * @returns {Promise<Blob | null>} null while it shows nothing
 */
export async function takeSnapshot(video) {
  if (!video.videoWidth || !video.videoHeight) return null;
  const canvas = document.createElement('canvas');
  canvas.width = video.videoWidth;
  canvas.height = video.videoHeight;
  canvas.getContext('2d')?.drawImage(video, 0, 0);
  return new Promise((resolve) => canvas.toBlob(resolve, 'image/png'));
}
