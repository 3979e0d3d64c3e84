export { StreamServer, type StreamServerOptions } from './server.js';
