// How does a program that cannot hold a socket read scores?   curl http://127.0.0.1:4800
import { createServer } from 'node:http';
import { connect } from 'clmex';

const client = await connect(process.argv[2] ?? 'http://127.0.0.1:4747');

const server = createServer((request, response) => {
  const isLive = client.connection.state === 'connected';
  response.writeHead(isLive ? 200 : 503, { 'content-type': 'application/json' });
  response.end(JSON.stringify([...client.latest.values()]));
});
server.listen(Number(process.argv[3] ?? 4800), '127.0.0.1', () => {
  console.log(`latest scores: http://127.0.0.1:${server.address().port}`);
});
