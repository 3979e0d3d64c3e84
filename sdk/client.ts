import type { Socket } from 'socket.io-client';
import { ClmexError } from '../core/errors.js';
import {
  PROTOCOL_VERSION,
  type ClientToServerEvents,
  type Handshake,
  type Preview,
  type Role,
  type RuntimeStatus,
  type ServerToClientEvents,
  type Snapshot,
  type Subject,
  type SubjectChange,
  type Subscription,
} from '../core/protocol.js';
import {
  parseMessage,
  previewSchema,
  refusalSchema,
  replySchema,
  scoresSchema,
  snapshotSchema,
  statusSchema,
  subjectSchema,
  type Schema,
} from '../core/protocol-schemas.js';
import { fromRefusal } from '../core/refusal.js';
import type { ExpressionScores } from '../core/types.js';
import { Emitter } from './emitter.js';
import { ScoreStream, type ScoresOptions } from './score-stream.js';

/** A runtime that turned this client away for one of these may take it later. */
const PASSING: readonly string[] = ['limit-exceeded', 'timeout'];
const RETRY_AFTER_MS = 2000;
const REPLY_WITHIN_MS = 5000;

export type ClientSocket = Socket<ServerToClientEvents, ClientToServerEvents>;

export interface Connection {
  readonly state: 'connecting' | 'connected' | 'reconnecting' | 'closed';
  /** Why it is not connected, where that is known. */
  readonly error?: ClmexError;
}

export interface ClientEvents {
  /** One person, one instant. */
  scores: ExpressionScores;
  subject: SubjectChange;
  status: RuntimeStatus;
  /** Only of cameras subscribed to. */
  preview: Preview;
  connection: Connection;
  /** A message was turned away by the runtime, or came malformed from it. */
  error: ClmexError;
}

/**
 * A connection to a runtime, made by `connect`. It reconnects by itself and starts every time from
 * the runtime's snapshot, so that `subjects`, `latest` and `status()` are never older than that.
 */
export class Client extends Emitter<ClientEvents> {
  readonly #socket: ClientSocket;
  readonly #auth: Handshake;
  readonly #subjects = new Map<string, Subject>();
  readonly #latest = new Map<string, ExpressionScores>();
  readonly #streams = new Set<ScoreStream>();
  #subscription: Subscription;
  #snapshot: Snapshot | undefined;
  #status: RuntimeStatus | undefined;
  #connection: Connection = { state: 'connecting' };
  #droppedBefore = 0;
  #dropped = 0;
  #retry: ReturnType<typeof setTimeout> | undefined;

  constructor(socket: ClientSocket, auth: Handshake) {
    super();
    const { subjects, cameras, ...rest } = auth;
    this.#socket = socket;
    this.#auth = rest;
    this.#subscription = { ...(subjects && { subjects }), ...(cameras && { cameras }) };
    socket.auth = (give) => give({ ...this.#auth, ...this.#subscription });
    this.#listenToConnection();
    this.#listenToMessages();
  }

  get connection(): Connection {
    return this.#connection;
  }

  /** Who is in front of the rig, by id. */
  get subjects(): ReadonlyMap<string, Subject> {
    return this.#subjects;
  }

  /** The latest score of each of them. */
  get latest(): ReadonlyMap<string, ExpressionScores> {
    return this.#latest;
  }

  /** The runtime's latest word on its health; undefined before the first. */
  status(): RuntimeStatus | undefined {
    return this.#status;
  }

  /** The labels of the scores, in order. */
  get labels(): readonly string[] {
    return this.#snapshot?.labels ?? [];
  }

  get cameraIds(): readonly string[] {
    return this.#snapshot?.cameraIds ?? [];
  }

  get role(): Role | undefined {
    return this.#snapshot?.role;
  }

  /** Whether pictures may be subscribed to. */
  get previews(): boolean {
    return this.#snapshot?.previews ?? false;
  }

  /** Version of the runtime's package. */
  get runtimeVersion(): string | undefined {
    return this.#snapshot?.version;
  }

  /** Scores the runtime left out because this client was slower than they came. */
  get dropped(): number {
    return this.#droppedBefore + this.#dropped;
  }

  /**
   * Scores as they come, for `for await`.
   * @throws ClmexError `invalid-argument` (buffer); from the iteration, what closed the client.
   */
  scores(options: ScoresOptions = {}): ScoreStream {
    const stream = new ScoreStream(options, (ended) => this.#streams.delete(ended));
    if (this.#connection.state === 'closed') stream.end(this.#connection.error);
    else if (options.signal?.aborted !== true) this.#streams.add(stream);
    return stream;
  }

  /**
   * Replaces what the runtime sends: people (absent: all) and cameras' pictures (absent: none).
   * @throws ClmexError `unauthorized` (pictures not allowed), `invalid-argument`, `timeout`, `closed`.
   */
  async subscribe(subscription: Subscription): Promise<void> {
    if (this.#connection.state === 'closed') throw new ClmexError('closed', 'the client is closed');
    let answer: unknown;
    try {
      answer = await this.#socket.timeout(REPLY_WITHIN_MS).emitWithAck('subscribe', subscription);
    } catch (cause) {
      throw new ClmexError('timeout', 'no answer from the runtime', { field: 'subscribe', cause });
    }
    const reply = parseMessage(replySchema, answer, 'subscribe');
    if (!reply.ok) throw fromRefusal(reply.error);
    this.#subscription = subscription;
  }

  /** Ends the connection, every iteration and every listener's news; safe to call twice. */
  close(error?: ClmexError): void {
    if (this.#connection.state === 'closed') return;
    clearTimeout(this.#retry);
    this.#socket.disconnect();
    this.#become({ state: 'closed', ...(error && { error }) });
    for (const stream of [...this.#streams]) stream.end(error);
  }

  #become(connection: Connection): void {
    this.#connection = connection;
    this.emit('connection', connection);
  }

  #listenToConnection(): void {
    this.#socket.on('connect_error', (error: Error & { data?: unknown }) => {
      const refusal = refusalSchema.safeParse(error.data);
      if (!refusal.success) {
        this.#lose(new ClmexError('source-failed', 'cannot reach the runtime', { cause: error }));
        return;
      }
      const refused = fromRefusal(refusal.data);
      if (PASSING.includes(refused.code)) this.#retryLater(refused);
      else this.close(refused);
    });
    this.#socket.on('disconnect', (reason) => {
      if (reason === 'io client disconnect') return;
      const error = new ClmexError('source-failed', `connection lost: ${reason}`);
      // After a disconnect that the runtime meant, socket.io leaves it to us to come back.
      if (this.#socket.active) this.#lose(error);
      else this.#retryLater(error);
    });
  }

  #lose(error: ClmexError): void {
    if (this.#connection.state === 'closed') return;
    const state = this.#snapshot === undefined ? 'connecting' : 'reconnecting';
    this.#become({ state, error });
  }

  #retryLater(error: ClmexError): void {
    this.#lose(error);
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => this.#socket.connect(), RETRY_AFTER_MS);
  }

  #listenToMessages(): void {
    this.#receive('snapshot', snapshotSchema, (snapshot) => this.#start(snapshot));
    this.#receive('subject', subjectSchema, (change) => this.#change(change));
    this.#receive('scores', scoresSchema, ({ scores, dropped }) => {
      this.#dropped = dropped;
      for (const score of scores) {
        this.#latest.set(score.subjectId, score);
        for (const stream of this.#streams) stream.push(score);
        this.emit('scores', score);
      }
    });
    this.#receive('status', statusSchema, (status) => {
      this.#status = status;
      this.emit('status', status);
    });
    this.#receive('preview', previewSchema, (preview) => this.emit('preview', preview));
    this.#receive('refused', refusalSchema, (refusal) => this.emit('error', fromRefusal(refusal)));
  }

  /** Checks each message before anybody sees it, and acknowledges it whatever it was. */
  #receive<T>(event: string, schema: Schema<T>, handle: (message: T) => void): void {
    const untyped = this.#socket as unknown as Socket;
    untyped.on(event, (payload: unknown, acknowledge?: () => void) => {
      if (this.#connection.state === 'closed') return;
      let message: T;
      try {
        message = parseMessage(schema, payload, event);
      } catch (error) {
        this.emit('error', error as ClmexError);
        return;
      } finally {
        acknowledge?.();
      }
      handle(message);
    });
  }

  #start(snapshot: Snapshot): void {
    if (snapshot.protocol !== PROTOCOL_VERSION) {
      const message = 'client and runtime speak different versions';
      const details = { value: snapshot.protocol, allowed: String(PROTOCOL_VERSION) };
      this.close(new ClmexError('protocol-mismatch', message, details));
      return;
    }
    const isFirst = this.#connection.state !== 'connected';
    if (isFirst) {
      this.#droppedBefore += this.#dropped;
      this.#dropped = 0;
    }
    this.#snapshot = snapshot;
    if (snapshot.status) this.#status = snapshot.status;
    const present = new Map(snapshot.subjects.map((subject) => [subject.subjectId, subject]));
    for (const subject of [...this.#subjects.values()]) {
      if (!present.has(subject.subjectId)) this.#change({ kind: 'left', subject });
    }
    for (const subject of present.values()) {
      const kind = this.#subjects.has(subject.subjectId) ? 'changed' : 'appeared';
      this.#change({ kind, subject });
    }
    for (const score of snapshot.scores) this.#latest.set(score.subjectId, score);
    if (isFirst) this.#become({ state: 'connected' });
    if (snapshot.status) this.emit('status', snapshot.status);
  }

  #change(change: SubjectChange): void {
    const { kind, subject } = change;
    if (kind === 'left') {
      this.#subjects.delete(subject.subjectId);
      this.#latest.delete(subject.subjectId);
    } else {
      this.#subjects.set(subject.subjectId, subject);
    }
    this.emit('subject', change);
  }
}
