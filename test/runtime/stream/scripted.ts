import { io, type Socket } from 'socket.io-client';
import { PROTOCOL_VERSION, type Preview, type RuntimeStatus } from '../../../core/protocol.js';
import { EXPRESSION_LABELS, type ExpressionScores } from '../../../core/types.js';
import { StreamServer, type StreamServerOptions } from '../../../runtime/stream/index.js';

export const CAMERAS = ['left', 'front', 'right'] as const;

/** A server on a free port of this machine. */
export function serve(options: Partial<StreamServerOptions> = {}): Promise<StreamServer> {
  return StreamServer.listen({
    labels: EXPRESSION_LABELS,
    cameraIds: CAMERAS,
    version: '1.2.3',
    ...options,
    stream: { port: 0, ...options.stream },
  });
}

/** A score as the fuse stage makes it; the expression moves round the labels with time. */
export function scoreOf(
  subjectId: string,
  atMs: number,
  cameraIds: readonly string[] = CAMERAS,
): ExpressionScores {
  const raw = EXPRESSION_LABELS.map((_, i) => Math.exp(3 * Math.cos(atMs / 700 - i)));
  const sum = raw.reduce((a, b) => a + b, 0);
  const best = raw.indexOf(Math.max(...raw));
  return {
    subjectId,
    atMs,
    scores: Object.fromEntries(EXPRESSION_LABELS.map((label, i) => [label, raw[i]! / sum])),
    top: EXPRESSION_LABELS[best]!,
    confidence: raw[best]! / sum,
    views: cameraIds.map((cameraId, i) => ({
      cameraId,
      weight: 1 / cameraIds.length,
      yawDeg: -40 + 40 * i,
      quality: 0.9,
    })),
    stageMs: { faces: 9.5, embed: 2.25 },
  };
}

export function statusAt(atMs: number): Omit<RuntimeStatus, 'stream'> {
  return {
    atMs,
    uptimeMs: atMs,
    engine: 'onnxruntime cpu',
    cameras: CAMERAS.map((cameraId, i) => ({
      cameraId,
      state: 'live' as const,
      fps: 15,
      width: 640,
      height: 360,
      frames: 120,
      faces: 200,
      stampSource: 'device' as const,
      offsetMs: 12.5 * i,
      driftPpm: 40 - 30 * i,
      uncertaintyMs: 0.8,
      drops: { late: i },
      missing: { late: i },
    })),
    frameSets: { total: 120, complete: 110, partial: 10, rate: 15, spreadMs: { p50: 4, p95: 9 } },
    stagesMs: { faces: { p50: 9, p95: 14 }, embed: { p50: 2, p95: 3 } },
    drops: { backpressure: 1 },
  };
}

export function previewOf(cameraId: string, atMs: number, jpeg: Uint8Array): Preview {
  const box = { x: 200, y: 80, width: 120, height: 140 };
  const points = Array.from({ length: 20 }, (_, i) => 200 + i * 4);
  const face = { trackId: '1', subjectId: 'p1', box, yawDeg: 12, quality: 0.8, points };
  return { cameraId, atMs, width: 640, height: 360, jpeg, faces: [face] };
}

/** A client that speaks socket.io but not our SDK, for saying what the SDK would not. */
export function rawClient(
  url: string,
  auth: Record<string, unknown> = { protocol: PROTOCOL_VERSION },
  headers: Record<string, string> = {},
): Socket {
  return io(url, {
    auth,
    transports: ['websocket'],
    forceNew: true,
    reconnection: false,
    extraHeaders: headers,
  });
}

/** The first payload of an event. */
export function once<T>(socket: Socket, event: string): Promise<T> {
  return new Promise((resolve) => {
    socket.once(event, (payload: T, acknowledge: unknown) => {
      if (typeof acknowledge === 'function') (acknowledge as () => void)();
      resolve(payload);
    });
  });
}
