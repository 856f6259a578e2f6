/** A database that the tabs of an origin share, as one of them sees it: from `openBrowser`. */
import { XenonError } from '../errors.ts'
import type { Member, Target } from '../owned/member.ts'
import { SharedRoot } from '../owned/root.ts'
import { showAs } from '../runtime/inspecting.ts'
import type { Stats } from '../types.ts'
import type { PortDatabase } from '../worker/client.ts'
import { TabMember } from './member.ts'
import { type BrowserOptions, resolveBrowserOptions } from './options.ts'
import { web } from './web.ts'

/** What the checks of a database found; `verify` of `xenondb` says more. */
export interface Verified {
  /** Nothing was found to be wrong. */
  ok: boolean
  /** One sentence each, at most 100. */
  problems: string[]
}

/** The root of a database that the tabs of an origin share. */
export class BrowserStore<V = string, K = string> extends SharedRoot<V, K> {
  static {
    showAs('BrowserStore', BrowserStore, ({ name, role, persistent, closed }) => ({
      name,
      ...(closed ? { closed } : { role, persistent }),
    }))
  }

  /** That which it was opened under. */
  readonly name: string
  /** @internal */
  override readonly member: Member<unknown, unknown>
  protected override readonly copied: (value: V) => V
  private readonly tab: TabMember<V, K>

  /** @internal Use `openBrowser`. */
  constructor(name: string, options: BrowserOptions<V>) {
    super()
    const resolved = resolveBrowserOptions(options as BrowserOptions<never>)
    this.name = name
    this.tab = new TabMember<V, K>(name, resolved, role => this.listeners.changed(role))
    this.member = this.tab as unknown as Member<unknown, unknown>
    this.copied = this.tab.copierOf<V>(undefined)
  }

  /**
   * Whether what is written stays when all tabs are closed: the files lie in the file system of the origin, and not in
   * the memory of the owner's worker.
   * @example if (!tab.persistent) console.warn('nothing that you write here will be kept')
   */
  get persistent(): boolean {
    return this.tab.isPersistent
  }

  /**
   * Figures of the database, as its owner sees it.
   * @example console.log((await tab.stats()).records)
   */
  stats(): Promise<Stats> {
    return this.ask(store => store.stats())
  }

  /**
   * Checks every block, chain and count of the files, in the owner's worker.
   * @example const { ok, problems } = await tab.verify()
   */
  verify(): Promise<Verified> {
    return this.ask(store => store.ask('verify'))
  }

  /**
   * Gives the space that deletions have left back to the origin.
   * @example await tab.compact()
   */
  async compact(): Promise<void> {
    await this.ask(store => store.ask('compact'))
  }

  /**
   * The whole database, as it is committed now, as one file: a tar archive, which `restore` of `xenondb` and
   * `importDatabase` take. Others may read and write meanwhile.
   * @example const url = URL.createObjectURL(await tab.exportFile())
   */
  exportFile(): Promise<Blob> {
    return this.ask(store => store.ask('export'))
  }

  /**
   * Bytes that this origin uses, with whatever else it keeps, and may use.
   * @example const { usage, quota } = await tab.estimate()
   */
  async estimate(): Promise<{ usage: number | undefined; quota: number | undefined }> {
    const { usage, quota } = (await web.navigator?.storage?.estimate?.()) ?? {}
    return { usage, quota }
  }

  /**
   * Asks the browser not to remove what this origin keeps when the disk gets full; true if it will not. The browser may ask
   * its user.
   * @example if (!(await tab.requestPersistence())) console.warn('the browser may remove the notes')
   */
  async requestPersistence(): Promise<boolean> {
    return (await web.navigator?.storage?.persist?.()) ?? false
  }

  private ask<T>(work: (store: PortDatabase<V, K>) => Promise<T>): Promise<T> {
    if (this.closed) return Promise.reject(new XenonError('XENON_CLOSED', 'the shared store is closed'))
    return this.tab.run((target: Target<V, K>) => work(target.store as PortDatabase<V, K>), true)
  }
}
