// One connection for each address of events, whoever listens. It runs in a worker that the tabs of a browser share, or
// in the page where there is no such worker.

/** What a page says through its port: which address to listen to, under which log-in, then which topics; `close` when it has enough. */
export type Wish = { open: string; login: string } | { listen: string } | { close: true };

/** What it hears; `waiting` at once, so that it knows that somebody is there. */
export type News = { state: "waiting" | "open" | "error"; readyState: number } | { topic: string; data: string };

class Connection {
  readonly ports = new Set<MessagePort>();
  private readonly topics = new Set<string>();
  private source: EventSource;

  constructor(
    private readonly address: string,
    private readonly ended: () => void,
  ) {
    this.source = this.begin();
  }

  /** Ask the server again; what happens until it answers is not heard. */
  beginAnew(): void {
    this.close();
    this.source = this.begin();
    this.tell({ state: "error", readyState: this.source.readyState });
  }

  add(port: MessagePort): void {
    this.ports.add(port);
    const { readyState } = this.source;
    port.postMessage({ state: readyState === EventSource.OPEN ? "open" : "waiting", readyState } satisfies News);
  }

  listen(topic: string): void {
    if (this.topics.has(topic)) return;
    this.topics.add(topic);
    this.hear(this.source, topic);
  }

  close(): void {
    this.source.close();
  }

  private begin(): EventSource {
    const source = new EventSource(this.address);
    source.onopen = () => this.tell({ state: "open", readyState: source.readyState });
    source.onerror = () => {
      if (source.readyState === EventSource.CLOSED) this.ended(); // refused: whoever asks next begins anew
      this.tell({ state: "error", readyState: source.readyState });
    };
    for (const topic of this.topics) this.hear(source, topic);
    return source;
  }

  private hear(source: EventSource, topic: string): void {
    source.addEventListener(topic, (event) => this.tell({ topic, data: (event as MessageEvent<string>).data }));
  }

  private tell(news: News): void {
    for (const port of this.ports) port.postMessage(news);
  }
}

export class StreamHub {
  private readonly connections = new Map<string, Connection>();
  private readonly logins = new Set<string>();

  /** Serve a port; it listens to one address. */
  serve(port: MessagePort): void {
    let address = "";
    let connection: Connection | undefined;
    const leave = () => {
      connection?.ports.delete(port);
      if (connection?.ports.size === 0) this.drop(address, connection);
      connection = undefined;
    };
    port.onmessage = ({ data: wish }: MessageEvent<Wish>) => {
      if ("open" in wish) {
        this.meet(wish.login);
        address = wish.open;
        connection = this.connectionTo(address);
        connection.add(port);
      } else if ("listen" in wish) connection?.listen(wish.listen);
      else leave();
    };
    port.addEventListener("close", leave); // the page went without a word, where the browser tells
  }

  /** A browser has one log-in at a time: with a new one all streams begin anew, and older tabs hear what it may hear. */
  private meet(login: string): void {
    if (this.logins.has(login)) return;
    this.logins.add(login);
    for (const connection of this.connections.values()) connection.beginAnew();
  }

  private connectionTo(address: string): Connection {
    const known = this.connections.get(address);
    if (known !== undefined) return known;
    const fresh: Connection = new Connection(address, () => this.drop(address, fresh));
    this.connections.set(address, fresh);
    return fresh;
  }

  private drop(address: string, connection: Connection): void {
    connection.close();
    if (this.connections.get(address) === connection) this.connections.delete(address);
  }
}
