import { ClmexError, connect, type Client } from '../sdk/index.js';
import { place } from './dom.js';
import { Header } from './header.js';
import { Health } from './health.js';
import { People } from './people.js';
import { askForToken, knownToken } from './token.js';
import { Views } from './views.js';

const RETRY_MS = 2000;

const header = new Header(place('connection'), place('facts'), place('banner'));
const health = new Health(place('cameras'), place('sets'), place('stages'));
const people = new People(place('people'));
const views = new Views(place('views'));

function draw(): void {
  people.draw();
  requestAnimationFrame(draw);
}

function show(client: Client): void {
  views.follow(client);
  people.follow(client);
  const version = client.runtimeVersion ?? '';
  client.on('status', (status) => {
    health.show(status);
    header.status(status, version);
  });
  const status = client.status();
  if (status !== undefined) {
    health.show(status);
    header.status(status, version);
  }
  if (client.previews) void client.subscribe({ cameras: client.cameraIds }).catch(() => undefined);
}

/** Ends only when the client does: lets the next one start afresh. */
function closed(client: Client): Promise<ClmexError | undefined> {
  return new Promise((resolve) => {
    client.on('connection', (connection) => {
      header.connection(connection);
      if (connection.state === 'closed') resolve(connection.error);
    });
  });
}

async function follow(): Promise<void> {
  for (;;) {
    const token = knownToken();
    header.connection({ state: 'connecting' });
    try {
      const options = { ...(token !== undefined && { token }), timeoutMs: Infinity };
      const client = await connect(location.origin, options);
      header.connection(client.connection);
      show(client);
      const error = await closed(client);
      if (error !== undefined) throw error;
    } catch (error) {
      const told = error instanceof ClmexError ? error : new ClmexError('closed', String(error));
      header.connection({ state: 'closed', error: told });
      if (told.code === 'unauthorized' && told.field === 'auth.token') {
        await askForToken(told.message);
        continue;
      }
    }
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}

requestAnimationFrame(draw);
void follow();
