import type { Clock, DropReason, RawFrame } from '../../core/types.js';
import type { PicturesThread } from './pictures-thread.js';
import type { FramePool } from './pool.js';
import type { Timeline } from './timeline.js';

export type CameraState =
  'connecting' | 'live' | 'silent' | 'reconnecting' | 'ended' | 'failed' | 'closed';

export interface CameraStatus {
  readonly cameraId: string;
  readonly state: CameraState;
  /** What went wrong last, for people. */
  readonly detail: string | undefined;
  /** Frames that came in, the dropped ones too. */
  readonly frames: number;
  /** Those that never left the source, by reason. */
  readonly drops: Readonly<Partial<Record<DropReason, number>>>;
  /** Times the source was opened again. */
  readonly reconnects: number;
  /** Size of the last frame, upright; 0 before the first. */
  readonly width: number;
  readonly height: number;
}

/** A source of frames. Whoever opened it closes it. */
export interface Camera {
  readonly id: string;
  /**
   * Upright frames, for one consumer, who closes each. A live camera goes on through faults; a file
   * ends, or throws a ClmexError where it is wrong.
   */
  frames(): AsyncGenerator<RawFrame, void, void>;
  status(): CameraStatus;
  /** Ends `frames()`; resolves when no child process or timer is left. */
  close(): Promise<void>;
}

export interface CameraContext {
  readonly clock: Clock;
  /** One for all cameras of a runtime, so that files keep their relation in time. */
  readonly timeline: Timeline;
  /** The camera's place in the configuration, for errors to name. */
  readonly index?: number | undefined;
  /** Overrides the source's `realtime`; offline runs say false. */
  readonly realtime?: boolean | undefined;
  /** Decodes recordings in a thread; where left out, they are decoded in this one. */
  readonly pictures?: Pick<PicturesThread, 'open'> | undefined;
  /**
   * Given by a live runtime: whether frames pile up behind the cameras. A paced recording then leaves
   * frames out undecoded, as it does when it is late itself; where left out it gives every frame.
   */
  readonly crowded?: (() => boolean) | undefined;
  /** Called on every change of state. */
  readonly onStatus?: ((status: CameraStatus) => void) | undefined;
}

/** The camera in errors, as the configuration's own errors name it. */
export function fieldOf({ id }: { readonly id: string }, { index }: CameraContext): string {
  return index === undefined ? `cameras.${id}` : `cameras[${index}]`;
}

/** One kind of source. A camera runs it, and runs a live one again after a fault. */
export interface FrameSource {
  /** Live sources: without a frame for so long the run is ended and begun again. */
  readonly silenceMs?: number | undefined;
  run(life: SourceLife): AsyncGenerator<RawFrame, void, void>;
}

/** What a running source is given. */
export interface SourceLife {
  readonly signal: AbortSignal;
  readonly pool: FramePool;
  drop(reason: DropReason): void;
  /** Something people should know though the run goes on. */
  note(detail: string): void;
  /** Numbers the camera's frames through all its runs. */
  nextSequence(): number;
}
