/**
 * The nouns of the datum's way: camera → Frame → FrameSet → Face[] → ViewGroup[] → Embedding[] →
 * ExpressionScores. Units stand in names: `…Ms` milliseconds, `…Deg` degrees, `…Px` pixels; lengths
 * without a suffix are metres. Camera axes follow OpenCV: x right, y down, z forward.
 */

import type { Mat3, Vec3 } from './geometry.js';

/** The seven labels of the shipped model, in the order of every score vector. */
export const EXPRESSION_LABELS = [
  'neutral',
  'happiness',
  'sadness',
  'surprise',
  'fear',
  'anger',
  'disgust',
] as const;
export type ExpressionLabel = (typeof EXPRESSION_LABELS)[number];

/** Where a frame's capture time came from, best first. */
export type StampSource = 'device' | 'driver' | 'rtp' | 'file' | 'arrival';

/**
 * Clocks further apart than a day count from different beginnings, as stamps since a stream began
 * beside stamps since 1970: how far apart they are says nothing.
 */
export const ANOTHER_EPOCH_MS = 86_400_000;

/**
 * One picture on its way from a source to `sync`: its stamp is still on the source's own clock.
 * Pixels are RGB24, row-major, in shared memory; whoever holds the frame closes it.
 */
export interface RawFrame {
  readonly cameraId: string;
  /** Counts the frames this camera delivered, from 0, without gaps of our making. */
  readonly sequence: number;
  /** Capture time on the source's own clock. */
  readonly stampMs: number;
  readonly stampSource: StampSource;
  /** When it reached us, on the runtime's clock. */
  readonly arrivedAtMs: number;
  readonly width: number;
  readonly height: number;
  /** width × height × 3 bytes on a SharedArrayBuffer. */
  readonly pixels: Uint8Array;
  /** Gives the pixels' slot back; safe to call twice. */
  close(): void;
}

/** A frame whose capture time has been mapped to the runtime's clock. */
export interface Frame extends RawFrame {
  readonly capturedAtMs: number;
  /** Half width of the 95 % interval of `capturedAtMs`. */
  readonly uncertaintyMs: number;
}

/** Why a camera has no frame in a set. */
export type MissingReason =
  'not-started' | 'late' | 'dropped' | 'out-of-tolerance' | 'silent' | 'disconnected' | 'ended';

/** Why a frame never became part of a set. */
export type DropReason =
  | 'late'
  | 'duplicate'
  | 'out-of-order'
  | 'out-of-tolerance'
  | 'superseded'
  | 'incomplete-set'
  | 'invalid-stamp'
  | 'clock-step'
  | 'no-buffer'
  | 'backpressure'
  | 'shutdown';

/** Frames of one instant, at most one a camera. */
export interface FrameSet {
  readonly index: number;
  readonly atMs: number;
  readonly frames: ReadonlyMap<string, Frame>;
  readonly missing: ReadonlyMap<string, MissingReason>;
  /** Latest minus earliest `capturedAtMs` among the frames; 0 for one frame. */
  readonly spreadMs: number;
  close(): void;
}

export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/**
 * Head pose in the camera's frame. All zero: looking straight into the camera.
 * yaw > 0: the nose points to the right side of the picture; pitch > 0: up; roll > 0: the head's
 * top leans to the right side of the picture (clockwise).
 */
export interface HeadPose {
  readonly yawDeg: number;
  readonly pitchDeg: number;
  readonly rollDeg: number;
}

/** A head's place: rotation head to frame, position of the head origin in metres. */
export interface Head {
  readonly rotation: Mat3;
  readonly position: Vec3;
}

/** One face in one camera's frame. Plain data, so that it crosses threads. */
export interface Face {
  readonly cameraId: string;
  readonly capturedAtMs: number;
  /** Stable while this camera follows the face; unique within the camera. */
  readonly trackId: string;
  /** Detector's (first frame) or landmark model's presence score, 0–1. */
  readonly score: number;
  readonly box: Box;
  /** N × 3: x, y in pixels of the upright frame, z in the same scale, smaller is nearer. */
  readonly landmarks: Float32Array;
  readonly pose: HeadPose;
  /**
   * Metric head in this camera: rotation (row-major 3 × 3, head to camera; head axes x to the
   * person's left, y up, z out of the face) and the head origin's position in metres.
   */
  readonly head: Head;
  /** 0–1: how much this view can be trusted (size, blur, pose, presence, cut by the border). */
  readonly quality: number;
  /** Aligned grey crop for the encoder, row-major uint8, side given by the model's crop spec. */
  readonly crop: Uint8Array;
  /** 52 coefficients by ARKit name where the landmark model offers them. */
  readonly blendshapes?: Readonly<Record<string, number>>;
}

/** The faces of one person at one instant, at most one a camera. */
export interface ViewGroup {
  readonly subjectId: string;
  readonly atMs: number;
  readonly faces: readonly Face[];
  /** In the rig's world frame, where the rig is calibrated. */
  readonly head?: Head;
}

/** One unit vector a view. */
export interface Embedding {
  readonly cameraId: string;
  readonly vector: Float32Array;
}

export interface ViewWeight {
  readonly cameraId: string;
  /** Share of the fused score this view carries; the weights of a group sum to 1. */
  readonly weight: number;
  readonly yawDeg: number;
  readonly quality: number;
}

/** What leaves the runtime: one person, one instant. */
export interface ExpressionScores {
  readonly subjectId: string;
  readonly atMs: number;
  /** Calibrated probability a label; sums to 1. */
  readonly scores: Readonly<Record<string, number>>;
  readonly top: string;
  /** Probability of `top`. */
  readonly confidence: number;
  readonly views: readonly ViewWeight[];
  /** Milliseconds each stage took for the frame set this came from. */
  readonly stageMs: Readonly<Record<string, number>>;
}

/** The runtime's clock, injected so that tests script time. Monotonic milliseconds. */
export interface Clock {
  nowMs(): number;
}
