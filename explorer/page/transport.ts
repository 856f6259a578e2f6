/** The way from the page to a database: calls by name, over HTTP here, to a worker in the static site. */

export interface Transport {
  call<T>(name: string, params?: object): Promise<T>
}

/** What the other end has refused. */
export class CallError extends Error {
  readonly code: string
  /** The block that it is about, if any. */
  readonly block: number | undefined

  constructor(code: string, message: string, block?: number) {
    super(message)
    this.code = code
    this.block = block
  }
}

/** To the server that has sent this page: the token is part of its address. */
export const httpTransport: Transport = {
  async call<T>(name: string, params: object = {}): Promise<T> {
    let response: Response
    try {
      response = await fetch(`api/${name}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(params),
      })
    } catch {
      throw new CallError('GONE', 'xenondb explore does not answer: has it been ended?')
    }
    const type = response.headers.get('content-type') ?? ''
    if (response.ok && type === 'application/octet-stream') return unpack(await response.arrayBuffer()) as T
    if (type !== 'application/json') throw new CallError('GONE', (await response.text()) || response.statusText)
    const answer = await response.json()
    if (!response.ok) throw new CallError(answer.code, answer.message, answer.block ?? undefined)
    return answer
  },
}

/** The reverse of `pack` (src/explorer/pack.ts). */
const unpack = (message: ArrayBuffer): object => {
  const bytes = new DataView(message).getUint32(0, true)
  const { $arrays, ...plain } = JSON.parse(new TextDecoder().decode(new Uint8Array(message, 4, bytes)))
  for (const [name, type, at, length] of $arrays as [string, string, number, number][])
    plain[name] = type === 'u32' ? new Uint32Array(message, at, length) : new Uint8Array(message, at, length)
  return plain
}
