import { isIP } from 'node:net';
import { z } from 'zod';
import { ROLES } from '../../core/protocol.js';

const token = z.strictObject({
  token: z
    .string()
    .min(16)
    .max(512)
    .describe('A secret of at least 16 characters; make one with `openssl rand -hex 24`.'),
  role: z
    .enum(ROLES)
    .default('viewer')
    .describe('viewer: scores; operator: previews too; publisher: browser cameras.'),
});

/** The `stream` section of the configuration: who may listen to the scores, and where. */
export const streamSchema = z
  .strictObject({
    host: z
      .string()
      .min(1)
      .max(255)
      .default('127.0.0.1')
      .describe('Address to listen on. Anything but loopback needs `tokens`.'),
    port: z.int().min(0).max(65_535).default(4747).describe('0 takes any free port.'),
    tokens: z.array(token).max(64).default([]),
    origins: z
      .array(z.url({ protocol: /^https?$/ }))
      .max(64)
      .default([])
      .describe('Origins of web pages, beside those of this machine, that may connect.'),
    maxClients: z.int().min(1).max(1000).default(32),
    maxMessageBytes: z
      .int()
      .min(1024)
      .max(1_048_576)
      .default(16_384)
      .describe('Largest message taken from a client.'),
  })
  .refine(({ host, tokens }) => isLoopback(host) || tokens.length > 0, {
    path: ['tokens'],
    error: 'at least one token where `host` is not a loopback address',
  });

/** What a user may write; every field has a default. */
export type StreamOptions = z.input<typeof streamSchema>;
export type StreamConfig = z.output<typeof streamSchema>;

/** Whether only programs on this machine can reach `host`. */
export function isLoopback(host: string): boolean {
  const bare = host.replace(/^\[(.*)\]$/, '$1').toLowerCase();
  if (isIP(bare) === 4) return bare.startsWith('127.');
  return bare === '::1' || bare === 'localhost' || bare.endsWith('.localhost');
}
