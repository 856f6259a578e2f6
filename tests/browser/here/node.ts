/** What the contract takes from Node, in a page. */
export const setTimeout = (milliseconds: number): Promise<void> =>
  new Promise(resolve => globalThis.setTimeout(resolve, milliseconds))

const compare = (a: Uint8Array, b: Uint8Array): number => {
  if (a.length !== b.length) return a.length - b.length
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return a[i]! - b[i]!
  return 0
}

Object.assign(globalThis, { Buffer: { compare, from: (text: string) => new TextEncoder().encode(text) } })

export * from '../../../src/errors.ts'
