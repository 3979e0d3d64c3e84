import type { DefaultEventsMap, Server, Socket } from 'socket.io';
import type {
  ClientToServerEvents,
  Handshake,
  Role,
  ServerToClientEvents,
} from '../../core/protocol.js';

/** What is known of a connection before it is admitted. */
interface Visitor {
  role: Role;
  handshake: Handshake;
}

export type StreamSocket = Socket<
  ClientToServerEvents,
  ServerToClientEvents,
  DefaultEventsMap,
  Visitor
>;
export type StreamIo = Server<
  ClientToServerEvents,
  ServerToClientEvents,
  DefaultEventsMap,
  Visitor
>;
