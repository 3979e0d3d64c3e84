import { createServer, type Server as HttpServer } from 'node:http';
import type { AddressInfo, Socket as NetSocket } from 'node:net';
import { Server } from 'socket.io';
import { ClmexError } from '../../core/errors.js';
import {
  PROTOCOL_VERSION,
  type Preview,
  type RuntimeStatus,
  type Snapshot,
} from '../../core/protocol.js';
import { toRefusal } from '../../core/refusal.js';
import type { ExpressionScores } from '../../core/types.js';
import { Client } from './client.js';
import { streamSchema, type StreamConfig, type StreamOptions } from './config.js';
import { DashboardFiles } from './dashboard-files.js';
import { checkOrigin, checkSubscription, readHandshake, roleOf } from './door.js';
import type { StreamIo, StreamSocket } from './socket.js';
import { SubjectBook } from './subjects.js';

/** Connections that are no client yet: a page's few files, handshakes under way. */
const SPARE_CONNECTIONS = 32;
const HANDSHAKE_WITHIN_MS = 5000;
/** A peer that is silent for both together is gone. */
const PING_INTERVAL_MS = 5000;
const PING_TIMEOUT_MS = 5000;
const GOODBYE_MS = 300;

export interface StreamServerOptions {
  /** The `stream` section of the configuration. */
  readonly stream?: StreamOptions;
  /** `privacy.previews`: without it no picture leaves, whoever publishes or asks. */
  readonly previews?: boolean;
  /** The labels of the scores, in order. */
  readonly labels: readonly string[];
  readonly cameraIds: readonly string[];
  /** The runtime's version, told to clients. */
  readonly version: string;
  /** Where the built dashboard lies; without it only the stream is served. */
  readonly dashboardDirectory?: string;
}

interface Presence {
  readonly subjectId: string;
  readonly state: 'appeared' | 'left';
  readonly atMs: number;
}

/** The last stage: what the runtime finds goes out to whoever is connected and may have it. */
export class StreamServer {
  readonly #options: StreamServerOptions;
  readonly #config: StreamConfig;
  readonly #http: HttpServer;
  readonly #io: StreamIo;
  readonly #connections = new Set<NetSocket>();
  readonly #clients = new Map<string, Client>();
  readonly #book: SubjectBook;
  readonly #dropped: Record<string, number> = {};
  readonly #refused: Record<string, number> = {};
  #status: RuntimeStatus | undefined;
  #isClosed = false;
  #url = '';

  /**
   * Starts listening.
   * @throws ClmexError `invalid-config` (`stream.…`), `port-in-use`, `not-found` (no dashboard).
   */
  static async listen(options: StreamServerOptions): Promise<StreamServer> {
    const server = new StreamServer(options, readConfig(options.stream ?? {}));
    await server.#listen();
    return server;
  }

  private constructor(options: StreamServerOptions, config: StreamConfig) {
    this.#options = options;
    this.#config = config;
    const files = new DashboardFiles(options.dashboardDirectory, config);
    this.#http = createServer(
      { headersTimeout: 10_000, requestTimeout: 10_000 },
      (request, response) => files.answer(request, response),
    );
    this.#http.on('connection', (connection) => {
      this.#connections.add(connection);
      connection.once('close', () => this.#connections.delete(connection));
    });
    this.#http.maxConnections = config.maxClients * 2 + SPARE_CONNECTIONS;
    this.#io = new Server(this.#http, {
      transports: ['websocket'],
      serveClient: false,
      connectTimeout: HANDSHAKE_WITHIN_MS,
      pingInterval: PING_INTERVAL_MS,
      pingTimeout: PING_TIMEOUT_MS,
      // Somewhat more than a message may have, so that the sender of a large one can be told.
      maxHttpBufferSize: config.maxMessageBytes * 4,
    });
    this.#io.use((socket, next) => this.#admit(socket, next));
    this.#io.on('connection', (socket) => this.#welcome(socket));
    this.#io.engine.on('connection', (connection: { on: OnClose }) => {
      connection.on('close', (reason, error) => this.#noteBrokenConnection(reason, error));
    });
    this.#book = new SubjectBook((change) => {
      for (const client of this.#clients.values()) client.sendChange(change);
    });
  }

  /** Where the dashboard and the stream are found, e.g. `http://127.0.0.1:4747`. */
  get url(): string {
    return this.#url;
  }

  /** Connected clients. */
  get clients(): number {
    return this.#clients.size;
  }

  /** The people of one instant. Never waits: slow clients miss some, and are told how many. */
  publishScores(scores: readonly ExpressionScores[]): void {
    if (this.#isClosed || scores.length === 0) return;
    for (const score of scores) this.#book.scored(score);
    const atMs = Math.max(...scores.map((score) => score.atMs));
    for (const client of this.#clients.values()) client.sendScores(atMs, scores);
  }

  /** Somebody came or left. A score of somebody unknown also tells that they came. */
  publishSubject({ subjectId, state, atMs }: Presence): void {
    if (this.#isClosed) return;
    if (state === 'appeared') this.#book.appeared(subjectId, atMs);
    else this.#book.left(subjectId);
  }

  publishStatus(status: Omit<RuntimeStatus, 'stream'>): void {
    if (this.#isClosed) return;
    const stream = {
      clients: this.clients,
      dropped: { ...this.#dropped },
      refused: { ...this.#refused },
    };
    this.#status = { ...status, stream };
    for (const client of this.#clients.values()) client.sendStatus(this.#status);
  }

  /** Goes nowhere unless the configuration allows previews and a client asked for this camera. */
  publishPreview(preview: Preview): void {
    if (this.#isClosed || !(this.#options.previews ?? false)) return;
    for (const client of this.#clients.values()) client.sendPreview(preview);
  }

  /** Whether a picture of this camera would reach anybody: saves making it. */
  wantsPreview(cameraId: string): boolean {
    const rooms = this.#io.of('/').adapter.rooms;
    return !this.#isClosed && (this.#options.previews ?? false) && rooms.has(`camera:${cameraId}`);
  }

  /** Disconnects everybody and frees the port; safe to call twice. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#clients.clear();
    const destroy = (): void => this.#connections.forEach((connection) => connection.destroy());
    // Those that are alive say goodbye; a peer that no longer reads must not hold us up.
    const timer = setTimeout(destroy, GOODBYE_MS);
    this.#http.closeIdleConnections();
    await this.#io.close();
    clearTimeout(timer);
    destroy();
  }

  async #listen(): Promise<void> {
    const { host, port } = this.#config;
    await new Promise<void>((resolve, reject) => {
      this.#http.once('error', (error: NodeJS.ErrnoException) => {
        void this.#io.close();
        reject(cannotListen(error, this.#config));
      });
      this.#http.listen({ host: host.replace(/^\[(.*)\]$/, '$1'), port }, resolve);
    });
    const { address, family, port: taken } = this.#http.address() as AddressInfo;
    this.#url = `http://${family === 'IPv6' ? `[${address}]` : address}:${taken}`;
    this.#http.removeAllListeners('error');
    this.#http.on('error', () => this.#count(this.#refused, 'source-failed'));
  }

  #admit(socket: StreamSocket, next: (error?: Error) => void): void {
    try {
      checkOrigin(socket.handshake.headers, this.#config);
      const handshake = readHandshake(socket.handshake.auth);
      const role = roleOf(handshake.token, this.#config);
      checkSubscription(handshake, this.#mayHavePictures(role));
      if (this.clients >= this.#config.maxClients) {
        const allowed = `${this.#config.maxClients} clients (stream.maxClients)`;
        throw new ClmexError('limit-exceeded', 'too many clients', { allowed });
      }
      socket.data = { role, handshake };
      next();
    } catch (error) {
      const refusal = toRefusal(error);
      this.#count(this.#refused, refusal.code);
      next(Object.assign(new Error(refusal.message), { data: refusal }));
    }
  }

  #welcome(socket: StreamSocket): void {
    const client = new Client({
      socket,
      handshake: socket.data.handshake,
      previews: this.#mayHavePictures(socket.data.role),
      maxMessageBytes: this.#config.maxMessageBytes,
      takeSnapshot: (asking) => this.#takeSnapshot(asking),
      onDrop: (event) => this.#count(this.#dropped, event),
      onRefuse: ({ code }) => this.#count(this.#refused, code),
    });
    this.#clients.set(socket.id, client);
    socket.on('disconnect', () => this.#clients.delete(socket.id));
  }

  #mayHavePictures(role: Client['role']): boolean {
    return (this.#options.previews ?? false) && role === 'operator';
  }

  #takeSnapshot(client: Client): Snapshot {
    const { version, labels, cameraIds } = this.#options;
    return {
      protocol: PROTOCOL_VERSION,
      version,
      role: client.role,
      labels,
      cameraIds,
      previews: client.previews,
      subjects: this.#book.subjects.filter(({ subjectId }) => client.wants(subjectId)),
      scores: this.#book.scores.filter(({ subjectId }) => client.wants(subjectId)),
      ...(this.#status && { status: this.#status }),
    };
  }

  /** Messages so large or so broken that nobody can be answered end the connection. */
  #noteBrokenConnection(reason: string, error: unknown): void {
    // engine.io keeps only the text of what ws said.
    const isOversized = error instanceof Error && error.message.includes('Max payload size');
    if (isOversized) this.#count(this.#refused, 'limit-exceeded');
    else if (reason === 'parse error') this.#count(this.#refused, 'invalid-argument');
  }

  #count(counts: Record<string, number>, name: string): void {
    counts[name] = (counts[name] ?? 0) + 1;
  }
}

type OnClose = (event: 'close', listener: (reason: string, error: unknown) => void) => void;

function readConfig(options: StreamOptions): StreamConfig {
  const result = streamSchema.safeParse(options);
  if (result.success) return result.data;
  const issue = result.error.issues[0]!;
  let value: unknown = options;
  for (const key of issue.path) value = (value as Record<PropertyKey, unknown> | undefined)?.[key];
  throw new ClmexError('invalid-config', issue.message, {
    field: ['stream', ...issue.path].join('.'),
    value: issue.path.includes('tokens') ? undefined : value,
  });
}

function cannotListen(cause: NodeJS.ErrnoException, { host, port }: StreamConfig): ClmexError {
  if (cause.code === 'EADDRINUSE') {
    return new ClmexError('port-in-use', 'another program listens there', {
      field: 'stream.port',
      value: port,
      allowed: 'a free port, or 0 for any',
      cause,
    });
  }
  const isPort = cause.code === 'EACCES';
  return new ClmexError('invalid-config', `cannot listen (${cause.code ?? cause.message})`, {
    field: isPort ? 'stream.port' : 'stream.host',
    value: isPort ? port : host,
    allowed: isPort ? 'a port this user may take' : 'an address of this machine',
    cause,
  });
}
