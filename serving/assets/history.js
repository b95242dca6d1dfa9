/** The most messages in a page. */
const LIMIT = 1000;
/** The number of messages that are added at a time, if there are as many. */
const STEP = 50;

/**
 * The history of topics, read page by page (`GET /messages`).
 *
 * It can be read forwards only. To go back, it is read from a number of messages before: these pages come from the service itself, in its
 * version, and so may look into its cursors, which are opaque to other clients.
 */
export class History {
  #address;

  constructor(base, topics) {
    this.#address = new URL("messages", new URL(`${base}`.replace(/\/?$/, "/"), location.href));
    for (const topic of topics) this.#address.searchParams.append("topic", topic);
  }

  /** Everything after a cursor: `messages`, and whether there is a gap before them. */
  async after(cursor) {
    const messages = [];
    let hasGap = false;
    for (let page = { cursor, more: true }; page.more; ) {
      page = await this.#page(page.cursor);
      messages.push(...page.messages);
      hasGap ||= Boolean(page.gap);
    }
    return { messages, hasGap };
  }

  /**
   * The last messages before one, or at its end. `start`: `beginning` where these are the first that were ever in this history, `cut` where
   * earlier ones are gone.
   */
  async before(id) {
    const [epoch, end] = parse(id ?? (await this.#end()));
    for (let step = STEP; ; step *= 2) {
      const since = Math.max(0, end - 1 - step);
      const { messages, gap } = await this.#between(epoch, since, end);
      if (messages.length > STEP) return { messages: messages.slice(-STEP) };
      // A gap covers what is gone, and all of it where the history is another one now.
      const start = gap ? "cut" : since === 0 ? "beginning" : undefined;
      if (messages.length > 0 || start) return { messages, start };
    }
  }

  /** The messages of an epoch after one offset and before another. */
  async #between(epoch, since, end) {
    const messages = [];
    let gap = null;
    let page = { cursor: `${epoch}-${since}`, more: true };
    while (page.more && parse(page.cursor)[1] < end - 1) {
      page = await this.#page(page.cursor);
      gap ??= page.gap;
      if (parse(page.cursor)[0] !== epoch) break;
      messages.push(...page.messages.filter(({ id }) => parse(id)[1] < end));
    }
    return { messages, gap };
  }

  /** The id that the next message would have. */
  async #end() {
    const [epoch, offset] = parse((await this.#page("now")).cursor);
    return `${epoch}-${offset + 1}`;
  }

  async #page(since) {
    const address = new URL(this.#address);
    address.searchParams.set("since", since);
    address.searchParams.set("limit", LIMIT);
    const response = await fetch(address, { cache: "no-store", signal: AbortSignal.timeout(10_000) });
    if (!response.ok) throw new Error(`the answer is ${response.status}`);
    return response.json();
  }
}

/** The epoch and the offset of a cursor. */
function parse(cursor) {
  const [, epoch, offset] = /^(.+)-(\d+)$/.exec(cursor);
  return [epoch, Number(offset)];
}
