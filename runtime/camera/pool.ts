/** Pixels of one frame while somebody holds it. */
export interface Slot {
  readonly pixels: Uint8Array;
  /** Safe to call twice. */
  release(): void;
}

/** Slots of a camera: enough for what `sync` holds of it and two frame sets downstream. */
const DEFAULT_SLOTS = 48;

/**
 * A camera's frame buffers in shared memory. Slots are made when needed, up to a bound, and used
 * again; a changed frame size lets go of the old ones.
 */
export class FramePool {
  readonly #limit: number;
  #bytes = 0;
  #free: SharedArrayBuffer[] = [];
  #taken = 0;
  #waiting: (() => void)[] = [];

  constructor(limit = DEFAULT_SLOTS) {
    this.#limit = limit;
  }

  /** Slots that somebody holds now. */
  get taken(): number {
    return this.#taken;
  }

  /** Undefined where all slots are held. */
  tryTake(bytes: number): Slot | undefined {
    if (bytes !== this.#bytes) {
      this.#bytes = bytes;
      this.#free = [];
    }
    if (this.#taken >= this.#limit) return undefined;
    this.#taken++;
    const memory = this.#free.pop() ?? new SharedArrayBuffer(bytes);
    let held = true;
    const release = (): void => {
      if (!held) return;
      held = false;
      this.#taken--;
      if (memory.byteLength === this.#bytes) this.#free.push(memory);
      this.#waiting.shift()?.();
    };
    return { pixels: new Uint8Array(memory), release };
  }

  /** Waits for a slot; undefined when aborted. */
  async take(bytes: number, signal: AbortSignal): Promise<Slot | undefined> {
    for (;;) {
      if (signal.aborted) return undefined;
      const slot = this.tryTake(bytes);
      if (slot !== undefined) return slot;
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          signal.removeEventListener('abort', wake);
          resolve();
        };
        signal.addEventListener('abort', wake);
        this.#waiting.push(wake);
      });
    }
  }
}
