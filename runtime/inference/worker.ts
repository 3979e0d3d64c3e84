import { parentPort, workerData } from 'node:worker_threads';
import { ClmexError } from '../../core/errors.js';
import type { Inference, InferenceOptions } from './inference.js';
import { LocalInference } from './local.js';
import { READY, type Failure, type Reply, type Request } from './thread.js';

const port = parentPort;
if (port === null) throw new Error('runs as a worker thread only');
const send = (reply: Reply): void => port.postMessage(reply);

function failureOf(error: unknown): Failure {
  if (error instanceof ClmexError) return { code: error.code, message: error.message };
  return { code: 'engine-failed', message: error instanceof Error ? error.message : String(error) };
}

type Turn = 'faces' | 'encoder' | 'loading';

/** What is done one after the other. */
const TURN_OF = { faces: 'faces', embed: 'encoder', adopt: 'encoder', prepare: 'loading' } as const;

async function answer(inference: Inference, request: Request): Promise<unknown> {
  switch (request.kind) {
    case 'faces':
      return inference.faces(request.frames, request.seeds);
    case 'embed':
      return inference.embed(request.views);
    case 'prepare':
      return inference.prepare(request.model);
    case 'adopt':
      return inference.adopt();
    case 'close':
      return inference.close();
  }
}

try {
  const inference = await LocalInference.load(workerData as InferenceOptions);
  // Embeddings of a set are not held up by the faces of the next one, nor either by a model that loads.
  const turns: Record<Turn, Promise<unknown>> = {
    faces: Promise.resolve(),
    encoder: Promise.resolve(),
    loading: Promise.resolve(),
  };
  port.on('message', (request: Request) => {
    const kind = request.kind === 'close' ? 'faces' : TURN_OF[request.kind];
    const before = request.kind === 'close' ? Promise.all(Object.values(turns)) : turns[kind];
    turns[kind] = before
      .then(() => answer(inference, request))
      .then(
        (result) => send({ id: request.id, result, info: { ...inference.info } }),
        (error: unknown) => send({ id: request.id, failure: failureOf(error) }),
      );
  });
  send({ id: READY, result: undefined, info: { ...inference.info } });
} catch (error) {
  send({ id: READY, failure: failureOf(error) });
}
