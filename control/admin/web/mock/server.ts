import type { IncomingMessage, ServerResponse } from 'node:http';

export async function serve(_req: IncomingMessage, res: ServerResponse) {
  res.writeHead(404, { 'Content-Type': 'application/json' }).end('{"message":"not yet"}');
}
