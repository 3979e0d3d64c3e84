type Listener<Payload> = (payload: Payload) => void;

/** Typed events, one payload each. A listener that throws does not keep the others from hearing. */
export class Emitter<Events extends object> {
  readonly #listeners = new Map<keyof Events, Set<Listener<never>>>();

  /** @returns a function that takes the listener off again. */
  on<Name extends keyof Events>(name: Name, listener: Listener<Events[Name]>): () => void {
    const listeners = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, listeners.add(listener));
    return () => this.off(name, listener);
  }

  off<Name extends keyof Events>(name: Name, listener: Listener<Events[Name]>): void {
    this.#listeners.get(name)?.delete(listener);
  }

  protected emit<Name extends keyof Events>(name: Name, payload: Events[Name]): void {
    const listeners = (this.#listeners.get(name) ?? []) as Iterable<Listener<Events[Name]>>;
    for (const listener of [...listeners]) {
      try {
        listener(payload);
      } catch (error) {
        // The listener's own bug: shown as uncaught, where developers look.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
