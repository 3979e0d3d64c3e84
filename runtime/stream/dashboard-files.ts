import { readFileSync, readdirSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { extname, join } from 'node:path';
import { ClmexError } from '../../core/errors.js';
import { checkOrigin } from './door.js';
import type { StreamConfig } from './config.js';

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.map': 'application/json',
  '.svg': 'image/svg+xml',
};

/** The page may load from and talk to where it came from, and nowhere else. */
const HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; '),
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-cache',
};

/**
 * Answers plain HTTP requests with the dashboard's files. They are read once: no request reaches
 * the file system. Without a directory every path is answered with 404.
 */
export class DashboardFiles {
  readonly #files = new Map<string, { body: Buffer; type: string }>();
  readonly #config: StreamConfig;

  constructor(directory: string | undefined, config: StreamConfig) {
    this.#config = config;
    if (directory === undefined) return;
    for (const { name, isFile } of list(directory)) {
      const type = TYPES[extname(name)];
      if (!isFile || type === undefined) continue;
      const path = name === 'index.html' ? '/' : `/${name}`;
      this.#files.set(path, { body: readFileSync(join(directory, name)), type });
    }
  }

  answer(request: IncomingMessage, response: ServerResponse): void {
    for (const [name, value] of Object.entries(HEADERS)) response.setHeader(name, value);
    try {
      checkOrigin(request.headers, this.#config);
    } catch (error) {
      respond(response, 403, `${(error as Error).message}\n`);
      return;
    }
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('allow', 'GET, HEAD');
      respond(response, 405, 'only GET and HEAD\n');
      return;
    }
    const file = this.#files.get((request.url ?? '').split('?', 1)[0]!);
    if (file === undefined) respond(response, 404, 'not found\n');
    else respond(response, 200, request.method === 'HEAD' ? '' : file.body, file.type);
  }
}

function respond(
  response: ServerResponse,
  status: number,
  body: string | Buffer,
  type = 'text/plain; charset=utf-8',
): void {
  response.writeHead(status, { 'content-type': type }).end(body);
}

function list(directory: string): { name: string; isFile: boolean }[] {
  try {
    return readdirSync(directory, { withFileTypes: true }).map((entry) => ({
      name: entry.name,
      isFile: entry.isFile(),
    }));
  } catch (cause) {
    throw new ClmexError('not-found', 'cannot read the dashboard’s files', {
      field: 'dashboardDirectory',
      value: directory,
      cause,
    });
  }
}
