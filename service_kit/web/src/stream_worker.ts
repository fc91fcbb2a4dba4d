// The worker that holds the streams of events for all tabs of a browser.
import { StreamHub } from "./shell/stream_hub";

const hub = new StreamHub();
(self as unknown as { onconnect: (event: MessageEvent) => void }).onconnect = (event) => hub.serve(event.ports[0]!);
