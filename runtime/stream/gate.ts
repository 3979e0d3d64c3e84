import { ClmexError } from '../../core/errors.js';
import type { Reply } from '../../core/protocol.js';
import { toRefusal } from '../../core/refusal.js';
import type { StreamSocket } from './socket.js';

const KNOWN_EVENTS = new Set(['subscribe']);
/** Messages a client may send at once, and how many more each second. */
const BURST = 40;
const MESSAGES_PER_SECOND = 20;
/** After so many refused messages the client is shown the door. */
const PATIENCE = 100;

/**
 * Looks at every message of one client before its handler: known event, size, pace. What does not
 * pass is answered with a typed error, through the acknowledgement where the client asked for one.
 */
export class Gate {
  readonly #socket: StreamSocket;
  readonly #maxBytes: number;
  readonly #count: (error: ClmexError) => void;
  #credit = BURST;
  #creditAtMs = performance.now();
  #refusals = 0;

  constructor(socket: StreamSocket, maxBytes: number, count: (error: ClmexError) => void) {
    this.#socket = socket;
    this.#maxBytes = maxBytes;
    this.#count = count;
    socket.use((message: unknown[], next) => {
      const reply = message.at(-1);
      try {
        this.#check(message);
        next();
      } catch (error) {
        this.refuse(
          error as ClmexError,
          typeof reply === 'function' ? (reply as Answer) : undefined,
        );
      }
    });
  }

  refuse(error: ClmexError, reply?: Answer): void {
    this.#count(error);
    const refusal = toRefusal(error);
    if (reply === undefined) this.#socket.emit('refused', refusal);
    else reply({ ok: false, error: refusal });
    if (++this.#refusals >= PATIENCE) this.#socket.disconnect(true);
  }

  #check([event, ...payload]: unknown[]): void {
    const nowMs = performance.now();
    const earned = ((nowMs - this.#creditAtMs) / 1000) * MESSAGES_PER_SECOND;
    this.#credit = Math.min(BURST, this.#credit + earned);
    this.#creditAtMs = nowMs;
    if (this.#credit < 1) {
      const allowed = `${MESSAGES_PER_SECOND} messages a second`;
      throw new ClmexError('limit-exceeded', 'too many messages', { allowed });
    }
    this.#credit--;
    if (typeof event !== 'string' || !KNOWN_EVENTS.has(event)) {
      const allowed = [...KNOWN_EVENTS].join(', ');
      throw new ClmexError('unsupported', 'unknown event', {
        field: 'event',
        value: event,
        allowed,
      });
    }
    const bytes = sizeOf(payload, this.#maxBytes);
    if (bytes > this.#maxBytes) {
      throw new ClmexError('limit-exceeded', 'message too large', {
        field: event,
        allowed: `at most ${this.#maxBytes} bytes (stream.maxMessageBytes)`,
      });
    }
  }
}

type Answer = (reply: Reply) => void;

/** About how many bytes a decoded message was; stops counting past `enough`. */
function sizeOf(value: unknown, enough: number): number {
  if (typeof value === 'string') return value.length;
  if (ArrayBuffer.isView(value)) return value.byteLength;
  if (typeof value !== 'object' || value === null) return 4;
  let bytes = 2;
  for (const [key, item] of Object.entries(value)) {
    bytes += key.length + sizeOf(item, enough);
    if (bytes > enough) break;
  }
  return bytes;
}
