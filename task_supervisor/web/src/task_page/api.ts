/**
 * Calls to the supervisor's REST interface from its own pages: cookie, CSRF token, problems as sentences.
 */

export interface Claim {
  readonly token: number;
  readonly expires_in_s: number;
  readonly task: { readonly id: number };
}

/** The supervisor refused, or did not answer (status 0); the message is a sentence for people. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

/** Send a request and return the JSON of its answer, or null when it has none. */
export async function ask<T>(method: string, url: string, body?: unknown): Promise<T> {
  const token = document.querySelector<HTMLMetaElement>('meta[name="csrf-token"]')?.content ?? "";
  const headers: Record<string, string> = { Accept: "application/json", "X-CSRF-Token": token };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let response: Response;
  try {
    response = await fetch(url, {
      method,
      headers,
      credentials: "same-origin",
      body: body === undefined ? null : JSON.stringify(body),
    });
  } catch {
    throw new ApiError(0, "The site does not answer. Your answer stays on this page; try again in a moment.");
  }
  if (response.ok) return (response.status === 204 ? null : await response.json()) as T;
  throw new ApiError(response.status, await sentence(response));
}

async function sentence(response: Response): Promise<string> {
  if (response.status === 401) return "You are signed out. Sign in again in another tab, then repeat the step.";
  try {
    const problem = (await response.json()) as { detail?: string; title?: string };
    return problem.detail ?? problem.title ?? `The site answered ${response.status}.`;
  } catch {
    return `The site answered ${response.status}.`;
  }
}
