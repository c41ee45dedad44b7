"use strict";
// How things stand at one moment of a run: sockets, clients, queues, calls in progress, counters. Reckoned from the steps and the
// moment alone, as replay/player/state.py does it: whichever way a moment is reached, it shows the same. Draws nothing.

class PlayState {
  constructor(line) {
    Object.assign(this, {line, film: line.film, byClient: new Map(), sent: new Map(), watched: new Set(), levels: new Map()});
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
    let place = 0;
    for (const [id, count, source] of this.film.queues) {
      this.levels.set(id, {at: this.film.queueAt.subarray(place, place + count), bytes: this.film.queueBytes.subarray(place, place + count), source});
      place += count;
    }
    this.stays = this.accepting();
    const ends = this.exchanges.map((one) => ({at: one.answered ?? one.sent, client: one.client, n: one.n})).filter((one) => one.at !== null);
    ends.sort((one, other) => one.at - other.at || (one.client < other.client ? -1 : one.client > other.client ? 1 : one.n - other.n));
    this.answers = ends.map((one) => one.at);
    this.answered = ends.map((one) => `${one.n} ${one.client}`);
    this.answerAt = new Map(ends.map((one) => [`${one.n} ${one.client}`, one.at]));
  }

  /** Return how things stood at a moment. */
  at(head) {
    const {line, film: {base}} = this;
    const {position} = head;
    return {
      at: head.at, position: base.position + position, calls: base.calls + line.count(position), fruitless: base.fruitless + line.fruitless(position),
      received: base.received + line.whole.moved.upTo(position), sent: base.sent + line.whole.moved.upTo(position, 1), cpu: this.cpu(head.at),
      sockets: [...this.sockets.values()].filter((one) => one.opened <= head.at).map((one) => this.socket(one, head)),
      clients: [...this.byClient].map(([name, own]) => this.client(name, own, head.at)), open: line.openAt(head),
    };
  }

  socket({id, role, closed}, head) {
    const track = this.line.sockets.get(id);
    const [calls, fruitless, received, sent] = this.base.get(id) ?? [0, 0, 0, 0];
    const gone = closed !== null && closed <= head.at;
    const read = received + (track ? track.moved.upTo(head.position) : 0);
    const [queued, by] = this.queued(id, head.at, gone, read);
    return {
      id, role, open: !gone, calls: calls + (track?.calls(head.position) ?? 0), fruitless: fruitless + (track?.fruitless(head.position) ?? 0),
      received: read, sent: sent + (track ? track.moved.upTo(head.position, 1) : 0), queued, by,
      backlog: role === "listener" && this.exchanges.length ? this.backlog(id, head.at) : null, last: track?.lastBefore(head.position) ?? null,
    };
  }

  /** Return how many bytes had come to a socket and were not read, and how that is known: packet, sender, client; nulls where it is not. */
  queued(id, time, gone, read) {
    const levels = this.levels.get(id);
    if (levels) {
      const place = upperBound(levels.at, time);
      return [place && !gone ? levels.bytes[place - 1] : 0, levels.source];
    }
    if (!this.watched.has(id)) return [null, null];
    const given = (this.sent.get(id) ?? []).reduce((sum, one) => one.sent <= time ? sum + one.sentBytes : sum, 0);
    return [gone ? 0 : Math.max(0, given - read), "client"];
  }

  /** Return who stood in which listener's queue, from when to when: connected, and not yet taken up. */
  accepting() {
    const listeners = [...this.sockets.values()].filter((one) => one.role === "listener");
    const stays = new Map();
    for (const one of this.exchanges) {
      if (one.connected === null) continue;
      const socket = this.sockets.get(one.socket ?? 0);
      const listener = socket?.parent || (listeners.length === 1 ? listeners[0].id : null);
      const went = socket ? socket.opened : Infinity;
      if (listener !== null && went > one.connected) stays.set(`${listener} ${one.connected} ${one.client}`, {listener, came: one.connected, went});
    }
    return [...stays.values()];
  }

  backlog(listener, time) { return this.stays.reduce((sum, one) => sum + Number(one.listener === listener && one.came <= time && one.went > time), 0); }

  /** Return when nothing more can come of what was asked: it was answered, or its connection was closed. */
  over(one) { return Math.max(one.sent ?? 0, one.answered ?? this.sockets.get(one.socket ?? 0)?.closed ?? Infinity); }

  client(name, own, time) {
    const begun = own.filter((one) => one.connected !== null && one.connected <= time);
    const asked = own.filter((one) => one.sent !== null && one.sent <= time);
    const answered = asked.filter((one) => one.answered !== null && one.answered <= time);
    const open = asked.filter((one) => time < this.over(one));
    const current = (asked.length ? asked : begun.length ? begun : own).at(-1);
    const socket = this.sockets.get(current.socket ?? 0);
    const failed = open.length ? null : asked.find((one) => one.answered === null && this.over(one) <= time)?.result ?? null;
    return {
      name, socket: current.socket, connected: begun.length > 0, accepted: Boolean(socket && socket.opened <= time), asked: asked.length,
      answered: answered.length, waiting: open.length ? Math.min(...open.map((one) => one.sent)) : null, failed,
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
