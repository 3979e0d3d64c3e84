import type { Socket } from 'socket.io';
import type { Preview, RuntimeStatus, ServerToClientEvents } from '../../core/protocol.js';
import type { ExpressionScores } from '../../core/types.js';
import type { StreamSocket } from './socket.js';

/** Messages of one kind under way to a paced client: enough to hide a round trip of 250 ms at 30 fps. */
const MOST_SCORES_UNDER_WAY = 8;
const MOST_OTHERS_UNDER_WAY = 2;
/** A client that does not acknowledge for so long is tried again with the newest. */
const ACKNOWLEDGE_WITHIN_MS = 5000;

type LiveEvent = 'scores' | 'status' | 'preview';
type Message = Parameters<ServerToClientEvents[LiveEvent]>[0];

/**
 * The live messages to one client. Holds at most the newest score a person, the newest picture a
 * camera and the newest status; sends them when the client can take them.
 */
export class Outbox {
  readonly #socket: StreamSocket;
  readonly #isPaced: boolean;
  readonly #onDrop: (event: LiveEvent) => void;
  readonly #scores = new Map<string, ExpressionScores>();
  readonly #others = new Map<string, { event: 'status' | 'preview'; message: Message }>();
  readonly #underWay = new Map<string, number>();
  #isOpen: boolean;
  #atMs = 0;
  #dropped = 0;

  constructor(socket: StreamSocket, isPaced: boolean, onDrop: (event: LiveEvent) => void) {
    this.#socket = socket;
    this.#isPaced = isPaced;
    this.#onDrop = onDrop;
    this.#isOpen = !isPaced;
    socket.conn.transport.on('ready', () => this.#flush());
  }

  /**
   * A paced client has its snapshot: what comes now finds its listeners in place, which a message
   * on the heels of the snapshot would not.
   */
  open(): void {
    this.#isOpen = true;
    this.#flush();
  }

  putScores(atMs: number, scores: readonly ExpressionScores[]): void {
    this.#atMs = atMs;
    for (const score of scores) {
      if (this.#scores.has(score.subjectId)) {
        this.#dropped++;
        this.#onDrop('scores');
      }
      this.#scores.set(score.subjectId, score);
    }
    this.#flush();
  }

  /** Whoever left has no score to come. */
  forget(subjectId: string): void {
    this.#scores.delete(subjectId);
  }

  putStatus(status: RuntimeStatus): void {
    this.#put('status', 'status', status);
  }

  putPreview(preview: Preview): void {
    this.#put(`preview ${preview.cameraId}`, 'preview', preview);
  }

  #put(key: string, event: 'status' | 'preview', message: Message): void {
    if (this.#others.has(key)) this.#onDrop(event);
    this.#others.set(key, { event, message });
    this.#flush();
  }

  #flush(): void {
    if (this.#scores.size > 0 && this.#canSend('scores', MOST_SCORES_UNDER_WAY)) {
      const scores = [...this.#scores.values()];
      this.#scores.clear();
      this.#send('scores', 'scores', { atMs: this.#atMs, scores, dropped: this.#dropped });
    }
    for (const [key, { event, message }] of this.#others) {
      if (!this.#canSend(key, MOST_OTHERS_UNDER_WAY)) continue;
      this.#others.delete(key);
      this.#send(key, event, message);
    }
  }

  /** The transport takes one message at a time and says `ready` after each. */
  #canSend(key: string, most: number): boolean {
    return (
      this.#isOpen &&
      this.#socket.connected &&
      this.#socket.conn.transport.writable &&
      (!this.#isPaced || (this.#underWay.get(key) ?? 0) < most)
    );
  }

  #send(key: string, event: LiveEvent, message: Message): void {
    if (!this.#isPaced) {
      this.#untyped.emit(event, message);
      return;
    }
    this.#underWay.set(key, (this.#underWay.get(key) ?? 0) + 1);
    this.#untyped.timeout(ACKNOWLEDGE_WITHIN_MS).emit(event, message, () => {
      this.#underWay.set(key, this.#underWay.get(key)! - 1);
      this.#flush();
    });
  }

  /** The pairs of event and message are held together by the callers of `#send`. */
  get #untyped(): Socket {
    return this.#socket;
  }
}
