import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Server as SocketServer } from 'socket.io';
import { afterEach, describe, expect, test } from 'vitest';
import { eventually } from '../runtime/stream/eventually.js';
import { ClmexError } from '../../core/errors.js';
import type { StreamServer, StreamServerOptions } from '../../runtime/stream/index.js';
import { connect, type Client, type ConnectOptions } from '../../sdk/index.js';
import { previewOf, scoreOf, serve, statusAt } from '../runtime/stream/scripted.js';

const open: { close(): unknown }[] = [];

afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});

async function start(options?: Partial<StreamServerOptions>): Promise<StreamServer> {
  const server = await serve(options);
  open.push(server);
  return server;
}

async function join(url: string, options?: ConnectOptions): Promise<Client> {
  const client = await connect(url, options);
  open.push(client);
  return client;
}

const next = <Name extends 'scores' | 'subject' | 'status' | 'preview' | 'connection' | 'error'>(
  client: Client,
  name: Name,
): Promise<Parameters<Parameters<typeof client.on<Name>>[1]>[0]> =>
  new Promise((resolve) => {
    const stop = client.on(name, (payload) => {
      stop();
      resolve(payload);
    });
  });

describe('connecting', () => {
  test('starts from the snapshot', async () => {
    const server = await start();
    server.publishScores([scoreOf('p1', 5)]);
    server.publishStatus(statusAt(6));
    const client = await join(server.url);
    expect(client.connection).toEqual({ state: 'connected' });
    expect([...client.subjects.keys()]).toEqual(['p1']);
    expect(client.latest.get('p1')).toEqual(scoreOf('p1', 5));
    expect(client.status()?.frameSets.complete).toBe(110);
    expect(client.labels[1]).toBe('happiness');
    expect(client.runtimeVersion).toBe('1.2.3');
  });

  test.each(['not a url', 'ftp://127.0.0.1', '', 'file:///etc/passwd'])(
    'an address like "%s" is refused',
    async (url) => {
      await expect(connect(url)).rejects.toMatchObject({
        code: 'invalid-argument',
        field: 'url',
        value: url,
      });
    },
  );

  test('a refusal is thrown as the runtime put it', async () => {
    const tokens = [{ token: 'a-token-of-16-characters', role: 'viewer' as const }];
    const { url } = await start({ stream: { tokens } });
    await expect(connect(url)).rejects.toMatchObject({ code: 'unauthorized', field: 'auth.token' });
    await expect(connect(url, { token: 'another-one-of-that-size' })).rejects.toBeInstanceOf(
      ClmexError,
    );
    expect((await join(url, { token: tokens[0]!.token })).role).toBe('viewer');
  });

  test('nobody there: gives up in time and says so', async () => {
    const gone = await serve();
    await gone.close();
    await expect(connect('http://127.0.0.1:9', { timeoutMs: 300 })).rejects.toMatchObject({
      code: 'timeout',
    });
  });

  test('a program that listens but never answers: gives up as well', async () => {
    const silent: Server = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => silent.once('listening', resolve));
    open.push({ close: () => (silent.closeAllConnections(), silent.close()) });
    const { port } = silent.address() as AddressInfo;
    const url = `http://127.0.0.1:${port}`;
    await expect(connect(url, { timeoutMs: 300 })).rejects.toMatchObject({ code: 'timeout' });
  });

  test('the signal gives up connecting, and closes a connected client', async () => {
    const signal = AbortSignal.timeout(50);
    await expect(connect('http://127.0.0.1:9', { signal })).rejects.toThrow(
      expect.objectContaining({ name: 'TimeoutError' }) as Error,
    );

    const { url } = await start();
    const leaving = new AbortController();
    const client = await join(url, { signal: leaving.signal });
    leaving.abort();
    expect(client.connection.state).toBe('closed');
  });
});

describe('listening', () => {
  test('scores, people and status arrive as events', async () => {
    const server = await start();
    const client = await join(server.url);

    const [subject, score] = [next(client, 'subject'), next(client, 'scores')];
    server.publishScores([scoreOf('p1', 5)]);
    expect(await subject).toMatchObject({ kind: 'appeared', subject: { subjectId: 'p1' } });
    expect(await score).toEqual(scoreOf('p1', 5));

    const status = next(client, 'status');
    server.publishStatus(statusAt(9));
    expect((await status).stream).toEqual({ clients: 1, dropped: {}, refused: {} });

    const changed = next(client, 'subject');
    server.publishScores([scoreOf('p1', 1500, ['left'])]);
    expect(await changed).toMatchObject({ kind: 'changed', subject: { cameraIds: ['left'] } });

    const left = next(client, 'subject');
    server.publishSubject({ subjectId: 'p1', state: 'left', atMs: 1600 });
    expect(await left).toMatchObject({ kind: 'left', subject: { lastMs: 1500 } });
    expect(client.subjects.size).toBe(0);
  });

  test('whoever left at once is not followed by a late score', async () => {
    const server = await start();
    const client = await join(server.url);
    const kinds: string[] = [];
    client.on('subject', ({ kind }) => kinds.push(kind));
    server.publishScores([scoreOf('p1', 1)]);
    server.publishScores([scoreOf('p1', 2)]);
    server.publishSubject({ subjectId: 'p1', state: 'left', atMs: 3 });
    await eventually(() => kinds).toEqual(['appeared', 'left']);
    await client.subscribe({});
    expect([client.subjects.size, client.latest.size]).toEqual([0, 0]);
  });

  test('a listener that was taken off hears nothing', async () => {
    const server = await start();
    const client = await join(server.url);
    const heard: number[] = [];
    const stop = client.on('scores', ({ atMs }) => heard.push(atMs));
    const first = next(client, 'scores');
    server.publishScores([scoreOf('p1', 1)]);
    await first;
    stop();
    const second = next(client, 'scores');
    server.publishScores([scoreOf('p1', 2)]);
    await second;
    expect(heard).toEqual([1]);
  });

  test('pictures come to those who subscribe to cameras', async () => {
    const server = await start({ previews: true });
    const client = await join(server.url);
    expect(client.previews).toBe(true);
    await client.subscribe({ cameras: ['right'] });
    const picture = next(client, 'preview');
    server.publishPreview(previewOf('right', 7, Uint8Array.of(0xff, 0xd8, 0xff, 0xd9)));
    const { jpeg, faces, atMs } = await picture;
    expect(atMs).toBe(7);
    expect([...jpeg]).toEqual([0xff, 0xd8, 0xff, 0xd9]);
    expect(faces[0]?.subjectId).toBe('p1');
  });

  test('what the runtime refuses rejects the subscription and leaves the old one', async () => {
    const server = await start();
    const client = await join(server.url);
    await expect(client.subscribe({ cameras: ['front'] })).rejects.toMatchObject({
      code: 'unauthorized',
      field: 'cameras',
    });
    const score = next(client, 'scores');
    server.publishScores([scoreOf('p1', 1)]);
    expect((await score).atMs).toBe(1);
  });
});

describe('iterating', () => {
  test('yields the scores of one person in order', async () => {
    const server = await start();
    const client = await join(server.url);
    const stream = client.scores({ subject: 'p2' });
    for (let atMs = 1; atMs <= 5; atMs++) {
      server.publishScores([scoreOf('p1', atMs), scoreOf('p2', atMs)]);
      await next(client, 'scores');
    }
    const seen: number[] = [];
    for await (const { subjectId, atMs } of stream) {
      expect(subjectId).toBe('p2');
      seen.push(atMs);
      if (atMs === 5) break;
    }
    expect(seen).toEqual([1, 2, 3, 4, 5]);
  });

  test('a loop that is slower than the scores misses the oldest, and knows how many', async () => {
    const server = await start();
    const client = await join(server.url);
    const stream = client.scores({ buffer: 2, camera: 'front' });
    for (let atMs = 1; atMs <= 6; atMs++) {
      const arrived = next(client, 'scores');
      server.publishScores([scoreOf('p1', atMs, atMs === 6 ? ['left'] : ['front'])]);
      await arrived;
    }
    expect([(await stream.next()).value?.atMs, (await stream.next()).value?.atMs]).toEqual([4, 5]);
    expect(stream.dropped).toBe(3);
  });

  test('ends with its signal and with the client', async () => {
    const { url } = await start();
    const client = await join(url);
    const enough = new AbortController();
    const bySignal = client.scores({ signal: enough.signal }).next();
    const byClose = client.scores().next();
    enough.abort();
    expect(await bySignal).toEqual({ done: true, value: undefined });
    client.close();
    expect(await byClose).toEqual({ done: true, value: undefined });
    expect((await client.scores().next()).done).toBe(true);
  });

  test.each([0, -1, 1.5, Number.NaN, 1e6])('a buffer of %s is refused', async (buffer) => {
    const client = await join((await start()).url);
    expect(() => client.scores({ buffer })).toThrow(
      expect.objectContaining({ code: 'invalid-argument', field: 'buffer' }) as Error,
    );
  });
});

describe('losing the runtime', () => {
  test('reconnects by itself and starts from the new snapshot', async () => {
    const first = await serve();
    first.publishScores([scoreOf('p1', 5)]);
    const client = await join(first.url);
    const states: string[] = [];
    client.on('connection', ({ state }) => states.push(state));
    const changes: string[] = [];
    client.on('subject', ({ kind, subject }) => changes.push(`${kind} ${subject.subjectId}`));
    const waiting = client.scores({ subject: 'p7' }).next();

    await first.close();
    await eventually(() => client.connection.state).toBe('reconnecting');
    const second = await start({ stream: { port: Number(new URL(first.url).port) } });
    second.publishScores([scoreOf('p7', 1)]);
    await eventually(() => client.connection.state).toBe('connected');
    expect(changes).toEqual(['left p1', 'appeared p7']);
    expect(states.at(-1)).toBe('connected');

    second.publishScores([scoreOf('p7', 2)]);
    expect((await waiting).value?.atMs).toBe(2);
  });

  test('a runtime that comes back with other tokens closes the client, with the reason', async () => {
    const first = await serve();
    const client = await join(first.url);
    const waiting = client.scores().next();
    await first.close();
    const tokens = [{ token: 'a-token-of-16-characters', role: 'viewer' as const }];
    await start({ stream: { port: Number(new URL(first.url).port), tokens } });
    await expect(waiting).rejects.toMatchObject({ code: 'unauthorized' });
    expect(client.connection).toMatchObject({ state: 'closed', error: { code: 'unauthorized' } });
  });
});

describe('a runtime that misbehaves', () => {
  async function rogue(snapshot: unknown, then: [string, unknown][] = []): Promise<string> {
    const http = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => http.once('listening', resolve));
    const io = new SocketServer(http, { transports: ['websocket'] });
    open.push(io);
    io.on('connection', (socket) => {
      socket.emit('snapshot', snapshot, () => {
        for (const [event, payload] of then) socket.emit(event, payload);
      });
    });
    return `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  }
  const snapshot = {
    protocol: 1, version: '9', role: 'viewer', labels: ['neutral'], cameraIds: ['a'],
    previews: false, subjects: [], scores: [], somethingNewer: true,
  }; // prettier-ignore

  test('malformed messages are reported and skipped, the good ones go on', async () => {
    const bad = { ...scoreOf('p1', 1), confidence: 'high' };
    const url = await rogue(snapshot, [
      ['scores', { atMs: 1, scores: [bad], dropped: 0 }],
      ['scores', null],
      ['status', { cameras: 'none' }],
      ['scores', { atMs: 2, scores: [scoreOf('p1', 2)], dropped: 0 }],
    ]);
    const connecting = join(url);
    const fields: (string | undefined)[] = [];
    const client = await connecting;
    client.on('error', ({ field }) => fields.push(field));
    expect((await next(client, 'scores')).atMs).toBe(2);
    expect(fields).toEqual(['scores.scores[0].confidence', 'scores', 'status.atMs']);
  });

  test('a snapshot of another protocol version is refused', async () => {
    const url = await rogue({ ...snapshot, protocol: 2 });
    await expect(connect(url)).rejects.toMatchObject({
      code: 'protocol-mismatch',
      value: 2,
      allowed: '1',
    });
  });
});
