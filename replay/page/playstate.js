"use strict";
// How things stand at one moment of a run: sockets, clients, queues, calls in progress, counters. Reckoned from the steps and the
// moment alone, as replay/player/state.py does it: whichever way a moment is reached, it shows the same. Draws nothing.

class PlayState {
  constructor(line) {
    Object.assign(this, {line, film: line.film, byClient: new Map(), sent: new Map(), watched: new Set()});
    this.base = new Map(this.film.base.sockets.map(([id, ...counts]) => [id, counts]));
    this.sockets = new Map(this.film.sockets.map(([id, role, opened, closed, parent]) => [id, {id, role, opened, closed, parent}]));
    this.exchanges = this.film.exchanges.map(([client, n, socket, connected, sent, answered, sentBytes, answeredBytes, result]) =>
      ({client, n, socket, connected, sent, answered, sentBytes, answeredBytes, result}));
    for (const one of this.exchanges) {
      if (!this.byClient.has(one.client)) this.byClient.set(one.client, []);
      this.byClient.get(one.client).push(one);
      if (one.socket === null) continue;
      this.watched.add(one.socket);
      if (one.sent === null) continue;
      if (!this.sent.has(one.socket)) this.sent.set(one.socket, []);
      this.sent.get(one.socket).push(one);
    }
    const ends = this.exchanges.map((one) => ({at: one.answered ?? one.sent, client: one.client, n: one.n})).filter((one) => one.at !== null);
    ends.sort((one, other) => one.at - other.at || (one.client < other.client ? -1 : one.client > other.client ? 1 : one.n - other.n));
    this.answers = ends.map((one) => one.at);
    this.answered = ends.map((one) => `${one.n} ${one.client}`);
    this.answerAt = new Map(ends.map((one) => [`${one.n} ${one.client}`, one.at]));
  }

  /** Return how things stood at a moment. */
  at(head) {
    const {line, film: {base}} = this;
    const backlogs = this.backlogs(head.at);
    const {position} = head;
    return {
      at: head.at, position: base.position + position, calls: base.calls + line.count(position), fruitless: base.fruitless + line.fruitless(position),
      received: base.received + line.whole.moved.upTo(position), sent: base.sent + line.whole.moved.upTo(position, 1), cpu: this.cpu(head.at),
      sockets: [...this.sockets.values()].filter((one) => one.opened <= head.at).map((one) => this.socket(one, head, backlogs)),
      clients: [...this.byClient].map(([name, own]) => this.client(name, own, head.at)), open: line.openAt(head),
    };
  }

  socket({id, role, closed}, head, backlogs) {
    const track = this.line.sockets.get(id);
    const [calls, fruitless, received, sent] = this.base.get(id) ?? [0, 0, 0, 0];
    const gone = closed !== null && closed <= head.at;
    const read = received + (track ? track.moved.upTo(head.position) : 0);
    let queued = null;
    if (this.watched.has(id)) {
      const given = (this.sent.get(id) ?? []).reduce((sum, one) => one.sent <= head.at ? sum + one.sentBytes : sum, 0);
      queued = gone ? 0 : Math.max(0, given - read);
    }
    return {
      id, role, open: !gone, calls: calls + (track?.calls(head.position) ?? 0), fruitless: fruitless + (track?.fruitless(head.position) ?? 0),
      received: read, sent: sent + (track ? track.moved.upTo(head.position, 1) : 0), queued,
      backlog: role === "listener" && this.exchanges.length ? backlogs.get(id) ?? 0 : null, last: track?.lastBefore(head.position) ?? null,
    };
  }

  /** Return how many clients wait at each listener: connected, and not yet taken up. */
  backlogs(time) {
    const listeners = [...this.sockets.values()].filter((one) => one.role === "listener");
    const waiting = new Map();
    for (const one of this.exchanges) {
      const socket = this.sockets.get(one.socket ?? 0);
      if (one.connected === null || one.connected > time || (socket && socket.opened <= time)) continue;
      waiting.set(`${one.connected} ${one.client}`, socket?.parent || (listeners.length === 1 ? listeners[0].id : null));
    }
    const counts = new Map();
    for (const listener of waiting.values()) counts.set(listener, (counts.get(listener) ?? 0) + 1);
    return counts;
  }

  client(name, own, time) {
    const begun = own.filter((one) => one.connected !== null && one.connected <= time);
    const asked = own.filter((one) => one.sent !== null && one.sent <= time);
    const answered = asked.filter((one) => one.answered !== null && one.answered <= time);
    const open = asked.filter((one) => one.answered === null || one.answered > time);
    const current = (asked.length ? asked : begun.length ? begun : own).at(-1);
    const socket = this.sockets.get(current.socket ?? 0);
    const gone = Boolean(socket && socket.closed !== null && socket.closed <= time);
    const failed = gone ? open.find((one) => one.answered === null)?.result ?? null : null;
    return {
      name, socket: current.socket, connected: begun.length > 0, accepted: Boolean(socket && socket.opened <= time), asked: asked.length,
      answered: answered.length, waiting: open.length && !failed ? Math.min(...open.map((one) => one.sent)) : null, failed,
      sentBytes: asked.reduce((sum, one) => sum + one.sentBytes, 0), answeredBytes: answered.reduce((sum, one) => sum + one.answeredBytes, 0),
    };
  }

  /** Return the CPU time of all processes up to a moment, ns, between two samples in proportion; null where nobody looked. */
  cpu(time) {
    if (!this.film.cpu.length) return null;
    return this.film.cpu.reduce((sum, points) => {
      const low = upperBound(points.map(([at]) => at), time);
      if (!low) return sum;
      const [before, used] = points[low - 1];
      if (low === points.length) return sum + used;
      const [next, then] = points[low];
      // Exact whole numbers, as the trace has them: the product would be too great for a double.
      return sum + used + Number(BigInt(then - used) * BigInt(Math.floor(time - before)) / BigInt(Math.max(1, next - before)));
    }, 0);
  }
}
