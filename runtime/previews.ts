import sharp from 'sharp';
import type { Preview, PreviewFace } from '../core/protocol.js';
import type { Face, Frame, FrameSet } from '../core/types.js';
import type { PipelineResult } from './pipeline.js';

export interface PreviewOptions {
  readonly previewHz: number;
  /** Width of the pictures, pixels; narrower frames stay as they are. */
  readonly previewWidth: number;
}

interface Thumbnail {
  readonly cameraId: string;
  readonly atMs: number;
  readonly frameWidth: number;
  readonly frameHeight: number;
  readonly width: number;
  readonly height: number;
  readonly pixels: Uint8Array;
}

const JPEG_QUALITY = 70;

/**
 * Small pictures for people to look at. Pixels are taken while a frame set is held; they are encoded
 * once its faces are known. A set taken while the one before is still being encoded is not shown.
 */
export class Previews {
  readonly #options: PreviewOptions;
  #lastMs = -Infinity;
  #encoding = false;

  constructor(options: PreviewOptions) {
    this.#options = options;
  }

  /** Nothing between two pictures, nor of a camera nobody watches. */
  take(set: FrameSet, isWatched: (cameraId: string) => boolean): Thumbnail[] {
    const due = set.atMs - this.#lastMs >= 1000 / this.#options.previewHz;
    if (!due || this.#encoding) return [];
    this.#lastMs = set.atMs;
    return [...set.frames.values()]
      .filter(({ cameraId }) => isWatched(cameraId))
      .map((frame) => shrink(frame, this.#options.previewWidth));
  }

  async encode(thumbnails: readonly Thumbnail[], result: PipelineResult): Promise<Preview[]> {
    this.#encoding = true;
    try {
      return await Promise.all(thumbnails.map((thumbnail) => encode(thumbnail, result)));
    } finally {
      this.#encoding = false;
    }
  }
}

/** Nearest of a whole number of pixels: a picture to glance at, made on the event loop. */
function shrink(frame: Frame, mostWidth: number): Thumbnail {
  const step = Math.max(1, Math.ceil(frame.width / mostWidth));
  const width = Math.floor(frame.width / step);
  const height = Math.floor(frame.height / step);
  const pixels = new Uint8Array(width * height * 3);
  for (let y = 0, out = 0; y < height; y++) {
    let from = y * step * frame.width * 3;
    for (let x = 0; x < width; x++, from += step * 3) {
      pixels[out++] = frame.pixels[from]!;
      pixels[out++] = frame.pixels[from + 1]!;
      pixels[out++] = frame.pixels[from + 2]!;
    }
  }
  return {
    cameraId: frame.cameraId,
    atMs: frame.capturedAtMs,
    frameWidth: frame.width,
    frameHeight: frame.height,
    width,
    height,
    pixels,
  };
}

async function encode(thumbnail: Thumbnail, result: PipelineResult): Promise<Preview> {
  const { cameraId, atMs, frameWidth, frameHeight, width, height, pixels } = thumbnail;
  const jpeg = await sharp(pixels, { raw: { width, height, channels: 3 } })
    .jpeg({ quality: JPEG_QUALITY })
    .toBuffer();
  return {
    cameraId,
    atMs,
    width: frameWidth,
    height: frameHeight,
    jpeg,
    faces: result.faces
      .filter((face) => face.cameraId === cameraId)
      .map((face) => previewFace(face, result)),
  };
}

function previewFace(face: Face, { groups }: PipelineResult): PreviewFace {
  const subjectId = groups.find(({ group }) => group.faces.includes(face))?.group.subjectId;
  const points: number[] = [];
  for (let i = 0; i < face.landmarks.length; i += 3) {
    points.push(Math.round(face.landmarks[i]!), Math.round(face.landmarks[i + 1]!));
  }
  return {
    trackId: face.trackId,
    ...(subjectId !== undefined && { subjectId }),
    box: face.box,
    yawDeg: face.pose.yawDeg,
    quality: face.quality,
    points,
  };
}
