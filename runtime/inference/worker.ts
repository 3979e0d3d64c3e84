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
  // One after the other: a set's embeddings are not held up by the next one's faces.
  let turn: Promise<unknown> = Promise.resolve();
  port.on('message', (request: Request) => {
    turn = turn
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
