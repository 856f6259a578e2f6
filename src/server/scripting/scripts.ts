/** The scripts that are known, by their SHA1, and the Lua that runs them, which is made when it is needed first. */
import { createHash } from 'node:crypto'
import { type Job, type Limits, ScriptEngine, ScriptStopped } from './engine.ts'

/** What the first line of a script may ask for (`#!lua flags=…`). */
const FLAGS = ['no-writes', 'allow-oom', 'allow-stale', 'no-cluster', 'allow-cross-slot-keys']
/** Bytes of the scripts that EVAL has brought, and of those that SCRIPT LOAD has. */
const MAX_EVALUATED_BYTES = 16 * 1048576
const MAX_LOADED_BYTES = 64 * 1048576
/** What a script takes besides its text. */
const ENTRY_BYTES = 200

/** The first line of a script is not as it must be, or there are too many scripts. */
export class ScriptRefused extends Error {
  override name = 'ScriptRefused'
}

export interface Script {
  readonly sha: string
  /** One character per byte. */
  readonly body: string
  /** What its first line says; undefined without such a line, as before Redis 7. */
  readonly flags: readonly string[] | undefined
  /** SCRIPT LOAD has brought it: it stays. */
  loaded: boolean
}

export class Scripts {
  private readonly limits: Limits
  private readonly version: string
  private engine: ScriptEngine | undefined
  private readonly bySha: Map<string, Script> = new Map()
  /** The same by their texts; of those that EVAL has brought the one used last at the end. */
  private readonly byBody: Map<string, Script> = new Map()
  private evaluatedBytes = 0
  private loadedBytes = 0

  /** @param version The version of Redis that scripts are told. */
  constructor(limits: Limits, version: string) {
    this.limits = limits
    this.version = version
  }

  get count(): number {
    return this.bySha.size
  }

  /** Memory that the texts take. */
  get bytes(): number {
    return this.evaluatedBytes + this.loadedBytes
  }

  /** Memory of Lua. */
  get engineBytes(): number {
    return this.engine?.memoryBytes ?? 0
  }

  find(sha: string): Script | undefined {
    return this.bySha.get(sha)
  }

  /**
   * The script of a text, which is compiled if it is new.
   * @param loaded It is to stay.
   * @throws ScriptProblem, ScriptRefused
   */
  of(body: string, loaded: boolean = false): Script {
    const known = this.byBody.get(body)
    if (known !== undefined) {
      if (!loaded || known.loaded) this.use(known)
      else this.keep(known)
      return known
    }
    const script: Script = { sha: sha1(body), body, flags: flagsOf(body), loaded: false }
    const bytes = bytesOf(script)
    if (loaded && this.loadedBytes + bytes > MAX_LOADED_BYTES)
      throw new ScriptRefused(`the scripts loaded take more than ${MAX_LOADED_BYTES} bytes; say SCRIPT FLUSH first`)
    this.compile(script)
    this.bySha.set(script.sha, script)
    this.byBody.set(body, script)
    this.evaluatedBytes += bytes
    if (loaded) this.keep(script)
    this.makeRoom()
    return script
  }

  /** In a new Lua if there is no room left in the one there is: scripts compiled before may take it. */
  private compile({ sha, body }: Script): void {
    try {
      this.running().compile(sha, body)
    } catch (error) {
      if (!(error instanceof ScriptStopped) && !isFault(error)) throw error
      this.engine = undefined
      this.guarded(() => this.running().compile(sha, body))
    }
  }

  /** It is the last one to go. */
  private use(script: Script): void {
    if (script.loaded || this.evaluatedBytes < MAX_EVALUATED_BYTES / 2) return
    this.byBody.delete(script.body)
    this.byBody.set(script.body, script)
  }

  private keep(script: Script): void {
    script.loaded = true
    this.evaluatedBytes -= bytesOf(script)
    this.loadedBytes += bytesOf(script)
  }

  private makeRoom(): void {
    if (this.evaluatedBytes <= MAX_EVALUATED_BYTES) return
    for (const script of this.byBody.values()) {
      if (script.loaded) continue
      if (this.evaluatedBytes <= MAX_EVALUATED_BYTES) break
      this.byBody.delete(script.body)
      this.bySha.delete(script.sha)
      this.evaluatedBytes -= bytesOf(script)
      this.engine?.forget(script.sha)
    }
  }

  /** SCRIPT FLUSH. */
  flush(): void {
    this.bySha.clear()
    this.byBody.clear()
    this.evaluatedBytes = 0
    this.loadedBytes = 0
    this.engine = undefined
  }

  /**
   * Runs a script and answers with what it returns, or with its error.
   * @throws ScriptStopped, and what the host throws that is not for scripts
   */
  run(job: Job): void {
    this.guarded(() => this.running().run(job))
  }

  private guarded(work: () => void): void {
    try {
      work()
    } catch (error) {
      // Whatever state such a script has left Lua in, and whatever memory, nobody else gets it.
      if (error instanceof ScriptStopped) this.engine = undefined
      else if (isFault(error)) {
        this.engine = undefined
        throw new ScriptStopped(`Lua has failed: ${(error as Error).message}`)
      }
      throw error
    }
  }

  /** @throws XenonError `XENON_NOT_SUPPORTED` if the package with Lua is not installed */
  private running(): ScriptEngine {
    this.engine ??= new ScriptEngine(this.limits, this.version)
    return this.engine
  }
}

/** Of WebAssembly, or a stack of JavaScript that was too small. */
const isFault = (error: unknown): boolean =>
  error instanceof RangeError || (error as { name?: unknown } | null)?.name === 'RuntimeError'

const bytesOf = ({ body }: Script): number => body.length + ENTRY_BYTES

const sha1 = (body: string): string => createHash('sha1').update(body, 'latin1').digest('hex')

const flagsOf = (body: string): readonly string[] | undefined => {
  if (!body.startsWith('#!')) return undefined
  const end = body.indexOf('\n')
  if (end < 0) throw new ScriptRefused('Invalid script shebang')
  const [interpreter, ...options] = body.slice(0, end).trim().split(/\s+/)
  if (interpreter !== '#!lua') throw new ScriptRefused(`Unexpected engine in script shebang: ${interpreter}`)
  const flags: string[] = []
  for (const option of options) {
    if (!option.startsWith('flags=')) throw new ScriptRefused(`Unknown lua shebang option: ${option}`)
    const given = option.slice(6)
    if (given !== '') flags.push(...given.split(','))
  }
  for (const flag of flags)
    if (!FLAGS.includes(flag)) throw new ScriptRefused(`Unexpected flag in script shebang: ${flag}`)
  return flags
}
