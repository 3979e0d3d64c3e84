import type { ClmexError } from '../../core/errors.js';
import type {
  Handshake,
  Preview,
  Role,
  RuntimeStatus,
  Snapshot,
  SubjectChange,
  Subscription,
} from '../../core/protocol.js';
import { parseMessage, subscriptionSchema } from '../../core/protocol-schemas.js';
import type { ExpressionScores } from '../../core/types.js';
import { checkSubscription } from './door.js';
import { Gate } from './gate.js';
import { Outbox } from './outbox.js';
import type { StreamSocket } from './socket.js';

/** Changes kept for a client that has not acknowledged; past them it gets a snapshot instead. */
const MOST_CHANGES = 64;
const ACKNOWLEDGE_WITHIN_MS = 5000;
const ALL_SUBJECTS = 'subjects';

interface ClientOptions {
  readonly socket: StreamSocket;
  readonly handshake: Handshake;
  /** Whether this client may have pictures. */
  readonly previews: boolean;
  readonly maxMessageBytes: number;
  readonly takeSnapshot: (client: Client) => Snapshot;
  readonly onDrop: (event: string) => void;
  readonly onRefuse: (error: ClmexError) => void;
}

/** One admitted connection: its rooms, its live messages, its acknowledged changes. */
export class Client {
  readonly role: Role;
  /** Whether this client may have pictures. */
  readonly previews: boolean;
  readonly #socket: StreamSocket;
  readonly #options: ClientOptions;
  readonly #outbox: Outbox;
  #changes: SubjectChange[] = [];
  #isWaiting = false;
  #needsSnapshot = true;

  constructor(options: ClientOptions) {
    const { socket, handshake, onDrop } = options;
    this.#options = options;
    this.#socket = socket;
    this.role = socket.data.role;
    this.previews = options.previews;
    this.#outbox = new Outbox(socket, handshake.paced ?? false, onDrop);
    const gate = new Gate(socket, options.maxMessageBytes, options.onRefuse);
    this.#join(handshake);
    socket.on('subscribe', (...message: unknown[]) => {
      const last = message.at(-1);
      const reply = typeof last === 'function' ? (last as (reply: unknown) => void) : undefined;
      try {
        const subscription = parseMessage(subscriptionSchema, message[0], 'subscribe');
        checkSubscription(subscription, this.previews);
        this.#join(subscription);
        this.#needsSnapshot = true;
        this.#sendState();
        reply?.({ ok: true });
      } catch (error) {
        gate.refuse(error as ClmexError, reply);
      }
    });
    this.#sendState();
  }

  wants(subjectId: string): boolean {
    const { rooms } = this.#socket;
    return rooms.has(ALL_SUBJECTS) || rooms.has(`subject:${subjectId}`);
  }

  sendScores(atMs: number, scores: readonly ExpressionScores[]): void {
    const wanted = scores.filter(({ subjectId }) => this.wants(subjectId));
    if (wanted.length > 0) this.#outbox.putScores(atMs, wanted);
  }

  sendStatus(status: RuntimeStatus): void {
    this.#outbox.putStatus(status);
  }

  sendPreview(preview: Preview): void {
    if (this.#socket.rooms.has(`camera:${preview.cameraId}`)) this.#outbox.putPreview(preview);
  }

  sendChange(change: SubjectChange): void {
    if (change.kind === 'left') this.#outbox.forget(change.subject.subjectId);
    if (this.#needsSnapshot || !this.wants(change.subject.subjectId)) return;
    this.#changes.push(change);
    if (this.#changes.length > MOST_CHANGES) {
      this.#changes = [];
      this.#needsSnapshot = true;
      this.#options.onDrop('subject');
    }
    this.#sendState();
  }

  #join({ subjects, cameras = [] }: Subscription): void {
    for (const room of this.#socket.rooms) {
      if (room !== this.#socket.id) void this.#socket.leave(room);
    }
    const people =
      this.role === 'publisher' ? [] : (subjects?.map((id) => `subject:${id}`) ?? [ALL_SUBJECTS]);
    void this.#socket.join([...people, ...cameras.map((id) => `camera:${id}`)]);
  }

  /** One state message under way at a time. */
  #sendState(): void {
    if (this.#isWaiting) return;
    const socket = this.#socket.timeout(ACKNOWLEDGE_WITHIN_MS);
    if (this.#needsSnapshot) {
      this.#needsSnapshot = false;
      this.#changes = [];
      this.#isWaiting = true;
      socket.emit('snapshot', this.#options.takeSnapshot(this), (error) => this.#answered(error));
      return;
    }
    const change = this.#changes.shift();
    if (change === undefined) return;
    this.#isWaiting = true;
    socket.emit('subject', change, (error) => this.#answered(error));
  }

  /** An unacknowledged message leaves open what the client knows: it starts afresh. */
  #answered(error: Error | null): void {
    this.#isWaiting = false;
    if (!this.#socket.connected) return;
    if (error) this.#needsSnapshot = true;
    this.#sendState();
    this.#outbox.open();
  }
}
