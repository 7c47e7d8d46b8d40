// Asks /stats.json again and again: every two seconds while it answers, less often while nobody looks, and with
// growing pauses while it does not answer.

const POLL_MS = 2000;
const HIDDEN_MS = 15000;
const DEADLINE_MS = 10000;
const PAUSES_MS = [1000, 2000, 4000, 8000, 15000, 30000];

// An address with a name and a password in it, as somebody may have typed it, must not be asked by a script.
const HERE = location.origin + location.pathname;

async function askJson(path) {
  const control = new AbortController();
  const deadline = setTimeout(() => control.abort(), DEADLINE_MS);
  try {
    const answer = await fetch(new URL(path, HERE), { cache: "no-store", credentials: "same-origin", signal: control.signal });
    if (!answer.ok)
      throw Object.assign(new Error(`HTTP ${answer.status}`), { status: answer.status });
    return await answer.json();
  } finally {
    clearTimeout(deadline);
  }
}

class Feed {
  // onData(stats) and onState({state: "live" | "lost" | "login", since, next}), times in this clock.
  constructor(onData, onState) {
    Object.assign(this, { onData, onState, failures: 0, since: null, timer: null, asking: false });
    document.addEventListener("visibilitychange", () => document.hidden || this.now());
  }

  now() {
    clearTimeout(this.timer);
    if (!this.asking)
      this.ask();
  }

  async ask() {
    this.asking = true;
    let pause;
    try {
      const stats = await askJson("stats.json");
      this.failures = 0;
      this.since = null;
      pause = document.hidden ? HIDDEN_MS : POLL_MS;
      this.onState({ state: "live" });
      this.onData(stats);
    } catch (error) {
      pause = this.failed(error);
    }
    this.asking = false;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.now(), pause);
  }

  failed(error) {
    this.since = this.since || Date.now();
    const pause = PAUSES_MS[Math.min(this.failures++, PAUSES_MS.length - 1)] * (0.9 + Math.random() * 0.2);
    this.onState({ state: error.status === 401 ? "login" : "lost", since: this.since, next: Date.now() + pause });
    return pause;
  }
}
