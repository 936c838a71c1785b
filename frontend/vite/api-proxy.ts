import type { IncomingMessage } from "node:http";
import type { ProxyOptions } from "vite";

/**
 * Hands on to the service what Vite does not serve. The service knows itself by its own address only, so the page's own
 * origin becomes the service's; that of any other page stays, and the service refuses it.
 *
 * An address with `?token=` goes there too: the service swaps the token for a cookie and sends the browser back.
 */
export function apiProxy(service: string): Record<string, ProxyOptions> {
  const options: ProxyOptions = {
    target: service,
    changeOrigin: true,
    ws: true,
    configure: (proxy) => {
      proxy.on("proxyReq", (request, incoming) => {
        if (isOwn(incoming)) request.setHeader("origin", service);
      });
      proxy.on("proxyReqWs", (request, incoming) => {
        if (isOwn(incoming)) request.setHeader("origin", service);
      });
    },
  };
  return { "/api": options, "/docs": options, "/openapi.json": options, "^/[^?]*\\?(.*&)?token=": options };
}

function isOwn(incoming: IncomingMessage): boolean {
  return incoming.headers.origin === `http://${incoming.headers.host}`;
}
