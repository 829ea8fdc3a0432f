/** Pictures that were decoded and wait for their sound; whoever takes one closes it. Pure. */
export interface Picture {
  /** Sample of the reply at which it is due. */
  pts: number;
  image: { close(): void };
}

export class Pictures<P extends Picture> {
  /** Pictures whose time had passed before they could be drawn. */
  skipped = 0;
  private waiting: P[] = [];

  get length(): number {
    return this.waiting.length;
  }

  put(picture: P): void {
    this.waiting.push(picture);
  }

  /** The newest picture that is due; older ones are closed. Null if none is. */
  due(pts: number): P | null {
    let newest: P | null = null;
    while (this.waiting[0] && this.waiting[0].pts <= pts) {
      if (newest) {
        newest.image.close();
        this.skipped += 1;
      }
      newest = this.waiting.shift() as P;
    }
    return newest;
  }

  clear(): void {
    for (const { image } of this.waiting) image.close();
    this.waiting = [];
  }
}
