import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Plugin } from 'vite';
import { serve } from './server.ts';

/** mock answers /api of the development server from fixtures, so that the panel can be worked on without a proxy. */
export function mock(): Plugin {
  const use = (req: IncomingMessage, res: ServerResponse, next: () => void) => {
    if (!req.url?.startsWith('/api')) return next();
    void serve(req, res);
  };
  return {
    name: 'pingap-mock',
    configureServer: (server) => void server.middlewares.use(use),
    configurePreviewServer: (server) => void server.middlewares.use(use),
  };
}
