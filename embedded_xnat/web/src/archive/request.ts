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

function named(page: Document, name: string): string {
  return page.querySelector<HTMLMetaElement>(`meta[name="${name}"]`)?.content ?? "";
}

/** The page's token under both names: for a session of the pages, and for a login of XNAT's own kind. */
export function csrfHeaders(): Record<string, string> {
  const token = named(document, "csrf-token");
  return { "X-CSRF-Token": token, "X-XNAT-CSRF": token };
}

/**
 * Take over the token of a newer sign-in of the user for whom the page was loaded.
 *
 * When somebody else is signed in now, the page keeps its token, and the name that this person's pages show is returned;
 * otherwise null, also when nobody is signed in. The page and the one that is asked for name their user as `meta[name="viewer"]`.
 */
export async function renewToken(): Promise<string | null> {
  const headers = { Accept: "text/html" }; // who may not open the page is named by the page that says so
  const answer = await fetch(location.href, { headers, credentials: "same-origin" }).catch(() => null);
  const html = answer && !answer.redirected && answer.status < 500 ? await answer.text().catch(() => "") : "";
  const page = new DOMParser().parseFromString(html, "text/html");
  const viewer = named(page, "viewer");
  if (viewer === "" || viewer !== named(document, "viewer")) return page.querySelector(".cf-user-name")?.textContent?.trim() || null;
  const token = named(page, "csrf-token");
  if (token) document.querySelector('meta[name="csrf-token"]')?.setAttribute("content", token);
  return null;
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
