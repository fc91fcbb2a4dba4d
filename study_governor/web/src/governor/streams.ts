// Streams of events: one for each address, however many parts of the page listen, and only while the page can be seen:
// pages that wait in other tabs need no news.
import { SharedStream } from "../../../../service_kit/web/src/shell/shared_stream";

export interface Listener {
  readonly topic: string;
  heard(data: string): void;
  found(): void;
  lost(): void;
}

class Stream {
  private source: SharedStream | null = null;
  private readonly listeners = new Set<Listener>();

  constructor(private readonly address: string) {
    document.addEventListener("visibilitychange", () => (document.hidden ? this.close() : this.open()));
    window.addEventListener("pagehide", () => this.close());
  }

  add(listener: Listener): void {
    this.listeners.add(listener);
    if (this.source !== null) this.hear(this.source, listener);
    else if (!document.hidden) this.open();
  }

  remove(listener: Listener): void {
    this.listeners.delete(listener);
    if (this.listeners.size === 0) this.close();
  }

  /** Open it, again too when the server ended it for good. */
  open(): void {
    if (this.listeners.size === 0 || (this.source !== null && this.source.readyState !== EventSource.CLOSED)) return;
    const source = new SharedStream(this.address);
    this.source = source;
    for (const listener of this.listeners) this.hear(source, listener);
  }

  private hear(source: SharedStream, listener: Listener): void {
    const whileListening = (run: () => void) => () => {
      if (this.source === source && this.listeners.has(listener)) run();
    };
    source.addEventListener("open", whileListening(() => listener.found()));
    source.addEventListener("error", whileListening(() => listener.lost()));
    source.addEventListener(listener.topic, (event) => {
      if (this.listeners.has(listener)) listener.heard((event as MessageEvent<string>).data);
    });
  }

  private close(): void {
    this.source?.close();
    this.source = null;
  }
}

const streams = new Map<string, Stream>();

/** The stream of an address. */
export function streamOf(address: string): Stream {
  const known = streams.get(address) ?? new Stream(address);
  streams.set(address, known);
  return known;
}
