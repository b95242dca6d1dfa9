/** The epoch and the offset of a cursor, behind its whole text. */
const parse = (cursor) => /^(.+)-(\d+)$/.exec(cursor) ?? [];

/** The name of the history that a cursor belongs to. */
export const epochOf = (cursor) => parse(cursor)[1];

/** Returns true if a client at the cursor `own` has everything that there was up to `other`. */
export function covers(own, other) {
  const [, epoch, offset] = parse(own);
  const [, otherEpoch, otherOffset] = parse(other);
  return epoch === otherEpoch && Number(offset) >= Number(otherOffset);
}

/** The positions that a subscription has reached, one in each history, so that it receives nothing twice when it comes back to one. */
export class Progress {
  #reached = new Map();

  /** The latest position: a cursor, or where to begin. */
  cursor;

  constructor(since) {
    this.cursor = since;
    if (epochOf(since)) this.#reached.set(epochOf(since), since);
  }

  /** Moves on to a cursor; false if the client has been there already. */
  advance(cursor) {
    const reached = this.#reached.get(epochOf(cursor));
    if (reached && covers(reached, cursor)) return false;
    this.#move(cursor);
    return true;
  }

  /** Moves on over a gap; false if the client has everything that is missing there. */
  skip({ since, cursor }) {
    // A history that is shorter than it was: the service names the same epoch and an earlier offset.
    const isShorter = epochOf(since) === epochOf(cursor) && !covers(cursor, since);
    if (!isShorter) return this.advance(cursor);
    this.#move(cursor);
    return true;
  }

  /** The cursor for a service that was in this history when it was last heard. */
  resume(epoch) {
    return this.#reached.get(epoch) ?? this.cursor;
  }

  #move(cursor) {
    this.#reached.set(epochOf(cursor), cursor);
    this.cursor = cursor;
  }
}
