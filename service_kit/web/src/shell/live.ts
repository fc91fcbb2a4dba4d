// htmx with its extension for server-sent events, over streams shared by all tabs. Every request carries the CSRF token.
import htmx from "htmx.org";
import "htmx-ext-sse";
import { notify } from "./notices";
import { SharedStream } from "./shared_stream";

declare global {
  interface Window {
    htmx: typeof htmx;
  }
}
window.htmx = htmx;
Object.assign(htmx, { createEventSource: (address: string) => new SharedStream(address) });

interface Failure {
  xhr: XMLHttpRequest;
}

function sentenceOf(xhr: XMLHttpRequest): string {
  try {
    const problem = JSON.parse(xhr.responseText) as { detail?: string };
    if (problem.detail) return problem.detail;
  } catch {
    // not a problem document; the plain sentence follows
  }
  return xhr.status === 0 ? "The site does not answer." : `The site answered ${xhr.status}.`;
}

document.addEventListener("htmx:configRequest", (event) => {
  const token = document.querySelector<HTMLMetaElement>('meta[name="csrf-token"]')?.content;
  const detail = (event as CustomEvent<{ headers: Record<string, string>; verb: string }>).detail;
  if (token && detail.verb !== "get") detail.headers["X-CSRF-Token"] = token;
});

document.addEventListener("htmx:responseError", (event) => {
  const { xhr } = (event as CustomEvent<Failure>).detail;
  if (xhr.status === 401) location.reload(); // the page itself leads to the log-in and back
  else notify(sentenceOf(xhr), "danger");
});

// A page that lost its stream may have missed events: tell its parts to load anew once it is back.
let streamsLost = 0;
document.addEventListener("htmx:sseError", () => {
  streamsLost += 1;
  document.documentElement.dataset.live = "lost";
});
document.addEventListener("htmx:sseOpen", () => {
  document.documentElement.dataset.live = "on";
  if (streamsLost > 0) document.body.dispatchEvent(new CustomEvent("live-again"));
  streamsLost = 0;
});
