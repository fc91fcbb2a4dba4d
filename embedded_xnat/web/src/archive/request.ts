// Changes go to the archive's REST addresses, with the CSRF token of the page.

/** The archive refused; the message is a sentence for the reader. */
export class Refusal extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

/** The page's token under both names: for a session of the pages, and for a login of XNAT's own kind. */
export function csrfHeaders(): Record<string, string> {
  const token = document.querySelector<HTMLMetaElement>('meta[name="csrf-token"]')?.content ?? "";
  return { "X-CSRF-Token": token, "X-XNAT-CSRF": token };
}

/** Take over the token of who is signed in now, who may have signed in elsewhere since the page was loaded. */
export async function renewToken(): Promise<void> {
  const answer = await fetch(location.href, { credentials: "same-origin" }).catch(() => null);
  if (!answer?.ok || answer.redirected) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const token = page.querySelector<HTMLMetaElement>('meta[name="csrf-token"]')?.content;
  if (token) document.querySelector('meta[name="csrf-token"]')?.setAttribute("content", token);
}

/** Turn an answer that is no success into a sentence. */
export function sentenceOf(status: number, body: string): string {
  try {
    const problem = JSON.parse(body) as { detail?: string };
    if (problem.detail) return problem.detail;
  } catch {
    // no problem document; the plain sentence follows
  }
  if (status === 0) return "The archive does not answer.";
  if (status === 401) return "You are signed out. Sign in again in another tab, or load the page again.";
  return `The archive answered ${status}.`;
}

/** Ask for a change and return the text of the answer. */
export async function change(method: "PUT" | "POST" | "DELETE", address: string): Promise<string> {
  let response: Response;
  try {
    response = await fetch(address, { method, headers: csrfHeaders(), credentials: "same-origin" });
  } catch {
    throw new Refusal(0, sentenceOf(0, ""));
  }
  const text = await response.text();
  if (!response.ok) throw new Refusal(response.status, sentenceOf(response.status, text));
  return text;
}
