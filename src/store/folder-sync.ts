import { syncFolder } from './files.ts';

interface Sync {
  readonly running: Promise<void>;
  next?: Promise<void>;
}

/** Shares the syncs of folders among those who publish into one at the same time. */
export class FolderSync {
  readonly #syncs = new Map<string, Sync>();

  /** Makes every name durable that is in `folder` now. One that runs already may have begun before: the next counts. */
  sync(folder: string): Promise<void> {
    const current = this.#syncs.get(folder);
    if (!current) return this.#start(folder);
    current.next ??= current.running.catch(() => {}).then(() => this.#start(folder));
    return current.next;
  }

  #start(folder: string): Promise<void> {
    const running = syncFolder(folder).finally(() => {
      if (this.#syncs.get(folder)?.running === running) this.#syncs.delete(folder);
    });
    this.#syncs.set(folder, { running });
    return running;
  }
}
