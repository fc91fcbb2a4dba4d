/**
 * The claim on a task: counts down, renews itself while somebody works, says when it is lost. Knows no page element.
 */

import { ApiError, ask, type Claim } from "./api";

export type LeaseState = "open" | "held" | "mine" | "ending" | "lost" | "settled";

export interface LeaseData {
  readonly isOwn: boolean;
  readonly token: number | null;
  readonly remainingS: number;
}

/** Renew when less than this share of the lease is left and somebody works. */
const RENEW_BELOW = 0.6;
/** Whoever did nothing for this long is asked whether the task is still theirs. */
const IDLE_MS = 10 * 60_000;
const ENDING_MS = 2 * 60_000;
const RETRY_MS = 10_000;

export class Lease {
  state: LeaseState;
  token: number | null = null;
  message = "";
  private endsAt = 0;
  private lengthMs = 1;
  private activeAt = Date.now();
  private nextTryAt = 0;
  private isRenewing = false;

  constructor(
    private readonly api: string,
    given: LeaseData | null,
    isSettled: boolean,
    private readonly changed: () => void,
  ) {
    this.state = isSettled ? "settled" : given === null ? "open" : given.isOwn ? "mine" : "held";
    if (given !== null) {
      this.endsAt = Date.now() + given.remainingS * 1000;
      if (given.isOwn && given.token !== null) this.begin(given.token, given.remainingS);
    }
    for (const event of ["pointerdown", "pointermove", "keydown", "wheel"] as const) {
      window.addEventListener(event, () => this.touch(), { passive: true });
    }
    window.setInterval(() => this.tick(), 1000);
    document.addEventListener("visibilitychange", () => this.tick());
  }

  get remainingMs(): number {
    return Math.max(0, this.endsAt - Date.now());
  }

  get isMine(): boolean {
    return this.state === "mine" || this.state === "ending";
  }

  async claim(): Promise<void> {
    const claim = await ask<Claim>("POST", `${this.api}/claim`);
    this.begin(claim.token, claim.expires_in_s);
    this.changed();
  }

  async release(): Promise<void> {
    await ask("POST", `${this.api}/release`, { token: this.token });
    this.token = null;
    this.state = "open";
    this.changed();
  }

  async renew(): Promise<void> {
    if (this.isRenewing || this.token === null) return;
    this.isRenewing = true;
    try {
      const renewed = await ask<{ token: number; expires_in_s: number }>("POST", `${this.api}/renew`, {
        token: this.token,
      });
      this.begin(renewed.token, renewed.expires_in_s);
      this.message = "";
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.status === 409 || error.status === 404) this.lose(error.message);
      else this.message = error.message;
      this.nextTryAt = Date.now() + RETRY_MS;
    } finally {
      this.isRenewing = false;
    }
    this.changed();
  }

  /** The server refused the token: the claim is gone. */
  lose(message: string): void {
    this.state = "lost";
    this.token = null;
    this.message = message;
    this.changed();
  }

  /** The task is answered. */
  settle(): void {
    this.state = "settled";
    this.token = null;
    this.changed();
  }

  private begin(token: number, seconds: number): void {
    this.token = token;
    this.endsAt = Date.now() + seconds * 1000;
    this.lengthMs = Math.max(this.lengthMs, seconds * 1000);
    this.state = "mine";
    this.activeAt = Date.now();
  }

  private touch(): void {
    this.activeAt = Date.now();
  }

  private tick(): void {
    if (!this.isMine) {
      this.changed();
      return;
    }
    const isActive = document.visibilityState === "visible" && Date.now() - this.activeAt < IDLE_MS;
    const isDue = this.remainingMs < this.lengthMs * RENEW_BELOW && Date.now() >= this.nextTryAt;
    if (isActive && isDue) void this.renew();
    this.state = this.remainingMs < Math.min(ENDING_MS, this.lengthMs / 2) ? "ending" : "mine";
    this.changed();
  }
}
