import { spawn } from 'node:child_process';

/** A video's frames as RGB24, turned by quarter turns clockwise, decoded by FFmpeg as they are read. */
export async function* videoFrames(
  path: string,
  width: number,
  height: number,
  quarterTurns = 0,
): AsyncGenerator<{ width: number; height: number; pixels: Uint8Array }> {
  const turn = ['null', 'transpose=1', 'hflip,vflip', 'transpose=2'][quarterTurns]!;
  const child = spawn(
    'ffmpeg',
    ['-v', 'error', '-i', path, '-fps_mode', 'passthrough', '-vf', turn, '-f', 'rawvideo', '-pix_fmt', 'rgb24', '-'],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  ); // prettier-ignore
  const upright = quarterTurns % 2 === 0 ? { width, height } : { width: height, height: width };
  let [pixels, filled] = [new Uint8Array(width * height * 3), 0];
  try {
    for await (const piece of child.stdout as AsyncIterable<Buffer>) {
      for (let from = 0; from < piece.length;) {
        const part = piece.subarray(from, from + pixels.length - filled);
        pixels.set(part, filled);
        filled += part.length;
        from += part.length;
        if (filled < pixels.length) continue;
        yield { ...upright, pixels };
        [pixels, filled] = [new Uint8Array(width * height * 3), 0];
      }
    }
  } finally {
    child.kill();
  }
}
