// A stream of events as EventSource has it, over the connection that all tabs of the browser share: it keeps six to a site at
// most, so that pages with one each would leave none for anything else.
import { type News, StreamHub, type Wish } from "./stream_hub";

const PATIENCE_MS = 10_000;
let ownHub: StreamHub | null = null; // where no worker can be shared

function metaOf(name: string): string {
  return document.querySelector<HTMLMetaElement>(`meta[name="${name}"]`)?.content ?? "";
}

function ownPort(): MessagePort {
  const { port1, port2 } = new MessageChannel();
  (ownHub ??= new StreamHub()).serve(port2);
  return port1;
}

/** A port to the worker of this browser. */
function workersPort(failed: () => void): MessagePort {
  const address = metaOf("stream-worker");
  if (ownHub !== null || address === "" || typeof SharedWorker === "undefined") return ownPort();
  const worker = new SharedWorker(address, { type: "module" });
  worker.onerror = failed;
  return worker.port;
}

export class SharedStream extends EventTarget {
  readyState: number = EventSource.CONNECTING;
  onopen: ((event: Event) => void) | null = null;
  onerror: ((event: Event) => void) | null = null;
  private readonly topics = new Set<string>();
  private port: MessagePort;
  private patience: number | undefined; // until the worker has said something

  constructor(private readonly address: string) {
    super();
    this.port = workersPort(() => this.goOnAlone());
    if (ownHub === null) this.patience = window.setTimeout(() => this.goOnAlone(), PATIENCE_MS);
    this.begin();
    window.addEventListener("pagehide", this.left);
  }

  override addEventListener(topic: string, ...rest: [EventListenerOrEventListenerObject | null, (AddEventListenerOptions | boolean)?]): void {
    super.addEventListener(topic, ...rest);
    if (topic === "open" || topic === "error" || this.topics.has(topic)) return;
    this.topics.add(topic);
    this.say({ listen: topic });
  }

  close(): void {
    if (this.readyState === EventSource.CLOSED) return;
    this.readyState = EventSource.CLOSED;
    this.say({ close: true });
    this.end();
  }

  private begin(): void {
    this.port.onmessage = ({ data }: MessageEvent<News>) => this.hear(data);
    this.say({ open: new URL(this.address, location.href).href, login: metaOf("csrf-token") });
    for (const topic of this.topics) this.say({ listen: topic });
  }

  private end(): void {
    this.stopWaiting();
    this.port.onmessage = null;
    this.port.close();
    window.removeEventListener("pagehide", this.left);
  }

  private stopWaiting(): void {
    window.clearTimeout(this.patience);
    this.patience = undefined;
  }

  private say(wish: Wish): void {
    this.port.postMessage(wish);
  }

  private hear(news: News): void {
    if ("topic" in news) {
      this.dispatchEvent(new MessageEvent(news.topic, { data: news.data }));
      return;
    }
    this.stopWaiting();
    this.readyState = news.readyState;
    if (news.state === "waiting") return;
    if (this.readyState === EventSource.CLOSED) this.end();
    const event = new Event(news.state);
    this.dispatchEvent(event);
    if (news.state === "open") this.onopen?.(event);
    else this.onerror?.(event);
  }

  /** The worker's script was not there or not understood, such as after an update: the page has a connection of its own. */
  private goOnAlone(): void {
    if (this.patience === undefined) return;
    this.stopWaiting();
    this.say({ close: true });
    this.port.onmessage = null;
    this.port.close();
    this.port = ownPort();
    this.begin();
  }

  /** Leave with the page; one that is shown again from the browser's memory hears that it has lost its stream. */
  private readonly left = (): void => {
    const wasOpen = this.readyState !== EventSource.CLOSED;
    this.close();
    const back = (event: PageTransitionEvent) => {
      if (wasOpen && event.persisted) this.hear({ state: "error", readyState: EventSource.CLOSED });
    };
    window.addEventListener("pageshow", back, { once: true });
  };
}
