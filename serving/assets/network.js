// The network between this page and a service, which a person can cut. push.js knows nothing of it: it finds its connections broken and
// new ones impossible, as on a train that enters a tunnel, and gets through it with nothing but what is in it.
//
// For that, the WebSocket, EventSource and fetch of this page are led through here. The other tabs keep their network.

const native = { fetch: globalThis.fetch.bind(globalThis), WebSocket, EventSource };
const networks = [];

/** The network to the service at a URL, or to one of its routes, where other services may have the same URL. */
export function networkTo(base, route = "") {
  const network = new Network(new URL(`${base}`.replace(/\/?$/, "/"), location.href).href, route);
  networks.push(network);
  return network;
}

/** The network for an address, if it is one that may be cut. A service may lie at a path below another one, or beside it behind a proxy. */
function networkFor(address) {
  const url = new URL(address, location.href).href.replace(/^ws/, "http");
  const around = networks.filter(({ base }) => url.startsWith(base)).sort((one, other) => other.base.length - one.base.length);
  const beside = around.filter(({ base }) => base === around[0].base);
  return beside.length > 1 ? beside.find(({ base, route }) => url.startsWith(base + route)) : around[0];
}

class Network {
  #isCut = false;
  #breaker = new AbortController();
  #connections = new Set();

  constructor(base, route) {
    this.base = base;
    this.route = route;
  }

  /** Cuts the network for so many milliseconds. Resolves when it is back, before anything has come through. */
  async cut(milliseconds) {
    this.#isCut = true;
    for (const connection of this.#connections) lose(connection);
    this.#connections.clear();
    this.#breaker.abort(new TypeError("the network is cut"));
    this.#breaker = new AbortController();
    await new Promise((resolve) => setTimeout(resolve, milliseconds));
    this.#isCut = false;
    // A browser says this when its network is back.
    dispatchEvent(new Event("online"));
  }

  fetch(resource, options = {}) {
    if (this.#isCut) return Promise.reject(new TypeError("the network is cut"));
    const signals = [options.signal, this.#breaker.signal].filter(Boolean);
    return native.fetch(resource, { ...options, signal: AbortSignal.any(signals) });
  }

  connect(type, values) {
    if (this.#isCut) return new Unreachable(type);
    for (const connection of this.#connections) {
      if (connection.readyState === connection.CLOSED) this.#connections.delete(connection);
    }
    const connection = new native[type](...values);
    this.#connections.add(connection);
    return connection;
  }
}

/** Ends a connection as one ends whose network is gone: without a word from the other side (RFC 6455, section 7.1.5). */
function lose(connection) {
  const end = connection instanceof native.WebSocket ? new CloseEvent("close", { code: 1006 }) : new Event("error");
  connection.dispatchEvent(end);
  connection.close();
}

/** A connection that cannot be made. */
class Unreachable extends EventTarget {
  constructor(type) {
    super();
    this.readyState = native[type].CLOSED;
    setTimeout(() => {
      this.#report(new Event("error"));
      if (type === "WebSocket") this.#report(new CloseEvent("close", { code: 1006 }));
    });
  }

  close() {}

  #report(event) {
    this[`on${event.type}`]?.(event);
    this.dispatchEvent(event);
  }
}

globalThis.fetch = (resource, options) => {
  const network = networkFor(resource.url ?? resource);
  return network ? network.fetch(resource, options) : native.fetch(resource, options);
};

for (const type of ["WebSocket", "EventSource"]) {
  globalThis[type] = new Proxy(native[type], {
    construct(constructor, values) {
      const network = networkFor(values[0]);
      return network ? network.connect(type, values) : Reflect.construct(constructor, values);
    },
  });
}
