/** What the person wants and the service has not confirmed: ordered again after a break, for the order may be lost. Pure. */
interface Order {
  /** The item that a message becomes, or the turn that an interruption stops. */
  what: string | number;
  again: () => void;
}

export class Orders {
  private open: Order[] = [];
  /** A break is over; what was done before it is being told. */
  private catching = false;

  get length(): number {
    return this.open.length;
  }

  put(what: Order["what"], again: () => void): void {
    this.open = [...this.open.filter((order) => order.what !== what), { what, again }];
  }

  /** The message is an item now. */
  added(item: string): void {
    this.open = this.open.filter(({ what }) => what !== item);
  }

  /** Replies up to this one are stopped, or over. */
  stopped(turn: number): void {
    this.open = this.open.filter(({ what }) => typeof what !== "number" || what > turn);
  }

  /** The conversation goes on; what was missed is told next. */
  resumed(): void {
    this.catching = true;
  }

  /** Everything that was missed was told: what is still open was never heard. */
  caughtUp(): void {
    if (!this.catching) return;
    this.catching = false;
    for (const { again } of this.open) again();
  }

  forget(): void {
    this.open = [];
    this.catching = false;
  }
}
