/** A value that can be watched: `get`, `set` a part of it, `subscribe`. Fits React's useSyncExternalStore as it is. */
export class Store<T extends object> {
  private value: T;
  private readonly watchers = new Set<() => void>();

  constructor(initial: T) {
    this.value = initial;
  }

  readonly get = (): T => this.value;

  /** Watchers are told only if something is different afterwards. */
  set(part: Partial<T>): void {
    const keys = Object.keys(part) as (keyof T)[];
    if (keys.every((key) => Object.is(this.value[key], part[key]))) return;
    this.value = { ...this.value, ...part };
    for (const watcher of [...this.watchers]) watcher();
  }

  readonly subscribe = (watcher: () => void): (() => void) => {
    this.watchers.add(watcher);
    return () => this.watchers.delete(watcher);
  };
}
