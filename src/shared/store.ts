/** A database that several processes share, as one of them sees it: from `openShared`. */
import { MARKS } from '../owned/marks.ts'
import type { Member } from '../owned/member.ts'
import { SharedRoot } from '../owned/root.ts'
import { showAs } from '../runtime/inspecting.ts'
import { resolveSharedOptions, type SharedOptions } from './options.ts'
import { ProcessMember } from './process-member.ts'

/** The root of a database that several processes share. */
export class SharedStore<V = string, K = string> extends SharedRoot<V, K> {
  static {
    showAs('SharedStore', SharedStore, ({ directory, role, closed }) => ({
      directory,
      ...(closed ? { closed } : { role }),
    }))
  }

  /** @internal */
  override readonly member: Member<unknown, unknown>
  /** Where the database lies: an absolute path. */
  readonly directory: string
  protected override readonly copied: (value: V) => V

  /** @internal Use `openShared`. */
  constructor(directory: string, options: SharedOptions<V>) {
    super()
    const resolved = resolveSharedOptions(options)
    const member = new ProcessMember<V, K>(directory, resolved, role => this.listeners.changed(role))
    this.member = member as unknown as Member<unknown, unknown>
    this.copied = member.copierOf(options.valueEncoding)
    this.directory = member.directory
  }

  override async subs(): Promise<string[]> {
    return (await super.subs()).filter(name => name !== MARKS)
  }
}
