/**
 * What runtime and clients say to each other over socket.io 4 (WebSocket only, namespace `/`).
 * Every payload is one object. Times are milliseconds on the runtime's clock unless said otherwise.
 *
 * Live events (`scores`, `status`, `preview`) are volatile: for a client that cannot keep up the
 * newest replaces the older ones, and the replaced are counted. State events (`snapshot`, `subject`)
 * are acknowledged; a client that fell too far behind gets a new snapshot instead of the backlog.
 */
import type { ErrorCode } from './errors.js';
import type { Box, ExpressionScores, StampSource } from './types.js';

/** Raised whenever a client of the version before would misread a message. */
export const PROTOCOL_VERSION = 1;

/**
 * What a token allows. `viewer`: scores, subjects, status. `operator`: pictures too, where the
 * runtime sends any. `publisher`: status only; for cameras in a browser, not for watching.
 */
export const ROLES = ['viewer', 'operator', 'publisher'] as const;
export type Role = (typeof ROLES)[number];

/** What a client wants; an absent list means all subjects and, for pictures, no camera. */
export interface Subscription {
  /** Ids of the people whose scores and comings and goings are wanted. */
  readonly subjects?: readonly string[];
  /** Ids of the cameras whose pictures are wanted. */
  readonly cameras?: readonly string[];
}

/** The `auth` object of the socket.io handshake. */
export interface Handshake extends Subscription {
  readonly protocol: number;
  readonly token?: string;
  /**
   * `true`: the client acknowledges live events, and the runtime keeps few of them under way, so
   * that a client which stops reading continues later with the newest instead of a backlog.
   */
  readonly paced?: boolean;
}

/** One person in front of the rig. */
export interface Subject {
  readonly subjectId: string;
  readonly firstMs: number;
  readonly lastMs: number;
  /** Cameras that saw this person during the last second. */
  readonly cameraIds: readonly string[];
}

export interface SubjectChange {
  readonly kind: 'appeared' | 'changed' | 'left';
  readonly subject: Subject;
}

/** The people of one instant. */
export interface ScoresMessage {
  readonly atMs: number;
  readonly scores: readonly ExpressionScores[];
  /** Scores this client was to have and did not get, since it connected. */
  readonly dropped: number;
}

export const CAMERA_STATES = [
  'starting',
  'live',
  'silent',
  'reconnecting',
  'disconnected',
  'ended',
  'failed',
] as const;
export type CameraState = (typeof CAMERA_STATES)[number];

export interface Percentiles {
  readonly p50: number;
  readonly p95: number;
}

/** Counts under named reasons, since the start. */
export type Counts = Readonly<Record<string, number>>;

export interface CameraStatus {
  readonly cameraId: string;
  readonly state: CameraState;
  /** What went wrong, for people, where something did. */
  readonly detail?: string;
  /** Frames a second over the last seconds. */
  readonly fps: number;
  readonly width: number;
  readonly height: number;
  /** Since the start. */
  readonly frames: number;
  readonly faces: number;
  readonly stampSource?: StampSource;
  /** Camera's clock minus runtime's clock; absent until estimated. */
  readonly offsetMs?: number;
  /** How fast that offset grows, in parts per million. */
  readonly driftPpm?: number;
  /** Half width of the 95 % interval of a mapped capture time. */
  readonly uncertaintyMs?: number;
  /** Frames that never became part of a set. */
  readonly drops: Counts;
  /** Sets that closed without this camera. */
  readonly missing: Counts;
}

export interface FrameSetStatus {
  readonly total: number;
  readonly complete: number;
  readonly partial: number;
  /** Sets a second over the last seconds. */
  readonly rate: number;
  /** Latest minus earliest capture within a set. */
  readonly spreadMs: Percentiles;
}

/** Health of the whole runtime, about once a second. */
export interface RuntimeStatus {
  readonly atMs: number;
  readonly uptimeMs: number;
  readonly engine: string;
  readonly cameras: readonly CameraStatus[];
  readonly frameSets: FrameSetStatus;
  readonly stagesMs: Readonly<Record<string, Percentiles>>;
  /** Drops that belong to no single camera. */
  readonly drops: Counts;
  readonly stream: StreamStatus;
}

export interface StreamStatus {
  readonly clients: number;
  /** Messages to clients that a newer one replaced, by event. */
  readonly dropped: Counts;
  /** Connections and messages that were turned away, by error code. */
  readonly refused: Counts;
}

/** A face as drawn over a picture; pixels of the camera's upright frame. */
export interface PreviewFace {
  readonly trackId: string;
  readonly subjectId?: string;
  readonly box: Box;
  readonly yawDeg: number;
  readonly quality: number;
  /** x₀, y₀, x₁, y₁, … of the landmarks, rounded to whole pixels. */
  readonly points: readonly number[];
}

/** A picture for people to look at; leaves the runtime only where `privacy.previews` says so. */
export interface Preview {
  readonly cameraId: string;
  readonly atMs: number;
  /** Size of the frame the faces were found in; the JPEG may be smaller. */
  readonly width: number;
  readonly height: number;
  readonly jpeg: Uint8Array;
  readonly faces: readonly PreviewFace[];
}

/** All that a client needs to start from, on every connect. */
export interface Snapshot {
  readonly protocol: number;
  /** Version of the runtime's package. */
  readonly version: string;
  readonly role: Role;
  readonly labels: readonly string[];
  readonly cameraIds: readonly string[];
  /** Whether this client may have pictures. */
  readonly previews: boolean;
  readonly subjects: readonly Subject[];
  /** Latest score of each of these subjects. */
  readonly scores: readonly ExpressionScores[];
  readonly status?: RuntimeStatus;
}

/** An error as it travels; also the `data` of a refused connection. */
export interface Refusal {
  readonly code: ErrorCode;
  readonly message: string;
  readonly field?: string;
  readonly value?: unknown;
  readonly allowed?: string;
}

export type Reply = { readonly ok: true } | { readonly ok: false; readonly error: Refusal };

type Acknowledge = () => void;

export interface ServerToClientEvents {
  snapshot: (snapshot: Snapshot, acknowledge: Acknowledge) => void;
  subject: (change: SubjectChange, acknowledge: Acknowledge) => void;
  /** Live events carry an acknowledgement for paced clients only. */
  scores: (message: ScoresMessage, acknowledge?: Acknowledge) => void;
  status: (status: RuntimeStatus, acknowledge?: Acknowledge) => void;
  preview: (preview: Preview, acknowledge?: Acknowledge) => void;
  /** A message of this client was turned away. */
  refused: (refusal: Refusal) => void;
}

export interface ClientToServerEvents {
  /** Replaces this client's subscription. */
  subscribe: (subscription: Subscription, reply: (reply: Reply) => void) => void;
}
