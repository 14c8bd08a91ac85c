/**
 * What all tabs of an origin agree on at once. localStorage does not do: what one tab writes,
 * another may read a moment later only, each having a copy. A database's transactions are
 * carried out one after the other, whoever asks.
 *
 * @typedef {object} Vault
 * @property {(key: string, change: (old: any) => any) => Promise<any>} swap replaces a value by
 *   what change makes of it, undefined for none, and gives that; no other swap comes in between
 */

/**
 * A vault for this page alone: where there is no database, and for tests.
 *
 * @implements {Vault}
 */
export class MemoryVault {
  /** @type {Map<string, any>} */
  #values = new Map();

  /**
   * @param {string} key
   * @param {(old: any) => any} change
   * @returns {Promise<any>}
   */
  async swap(key, change) {
    const value = change(this.#values.get(key));
    this.#values.set(key, value);
    return value;
  }
}

/**
 * A vault in IndexedDB; where the browser refuses one (some private windows do), it is this
 * page's alone.
 *
 * @implements {Vault}
 */
export class DatabaseVault {
  #name;
  /** @type {Promise<IDBDatabase> | null} */
  #database = null;
  #fallback = new MemoryVault();

  /** @param {string} [name] */
  constructor(name = "tutti") {
    this.#name = name;
  }

  /**
   * @param {string} key
   * @param {(old: any) => any} change
   * @returns {Promise<any>}
   */
  async swap(key, change) {
    let database;
    try {
      database = await (this.#database ??= this.#open());
    } catch {
      return this.#fallback.swap(key, change);
    }
    return new Promise((resolve, reject) => {
      const transaction = database.transaction("values", "readwrite");
      const store = transaction.objectStore("values");
      /** @type {any} */
      let value;
      const read = store.get(key);
      read.onsuccess = () => {
        value = change(read.result);
        if (value === undefined) store.delete(key);
        else store.put(value, key);
      };
      transaction.oncomplete = () => resolve(value);
      transaction.onerror = transaction.onabort = () => reject(transaction.error);
    });
  }

  /** @returns {Promise<IDBDatabase>} */
  #open() {
    return new Promise((resolve, reject) => {
      const request = indexedDB.open(this.#name, 1);
      request.onupgradeneeded = () => request.result.createObjectStore("values");
      request.onsuccess = () => resolve(request.result);
      request.onerror = request.onblocked = () => reject(request.error);
    });
  }
}

/** @type {Vault | undefined} */
let shared;

/** @returns {Vault} the one of this page's origin */
export function vault() {
  return (shared ??= globalThis.indexedDB ? new DatabaseVault() : new MemoryVault());
}
