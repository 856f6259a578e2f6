/**
 * What `console.log` of Node shows of an object: one line in place of all its inner parts. The symbol is registered, so
 * nothing of Node is imported, and elsewhere nobody asks for it.
 */
const INSPECT: unique symbol = Symbol.for('nodejs.util.inspect.custom') as never

type Facts = Readonly<Record<string, string | number | boolean | undefined>>

/** Called in a static block of a class: what its objects are shown as, such as `Database { directory: 'students' }`. */
export const showAs = <T>(name: string, { prototype }: { readonly prototype: T }, facts: (self: T) => Facts): void => {
  Object.defineProperty(prototype, INSPECT, {
    value(this: T) {
      // The prototype itself is shown, too, and has none of the facts.
      return this === prototype ? `${name} {}` : oneLine(name, facts(this))
    },
    configurable: true,
    writable: true,
  })
}

const oneLine = (name: string, facts: Facts): string => {
  const shown = Object.entries(facts)
    .filter(([, value]) => value !== undefined)
    .map(([fact, value]) => `${fact}: ${typeof value === 'string' ? quoted(value) : value}`)
  return `${name} { ${shown.join(', ')} }`
}

/** Names of sub-databases may hold anything: a line stays one. */
const quoted = (text: string): string => {
  const inside = JSON.stringify(text.length > 200 ? `${text.slice(0, 200)}…` : text).slice(1, -1)
  return `'${inside.replaceAll('\\"', '"').replaceAll("'", "\\'")}'`
}
