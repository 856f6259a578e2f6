// Loads the built package into a `vm` context, whose Uint8Array, Error and Map are classes of its own, and uses it
// there.
import { readFileSync } from 'node:fs'
import { createRequire, isBuiltin } from 'node:module'
import { fileURLToPath, pathToFileURL } from 'node:url'
import vm from 'node:vm'

const context = vm.createContext({
  process,
  Buffer,
  TextEncoder,
  TextDecoder,
  performance,
  setTimeout,
  clearTimeout,
  setImmediate,
  console,
  URL,
})
const modules = new Map()

const load = async (specifier, from) => {
  const require = createRequire(from)
  const id = isBuiltin(specifier)
    ? specifier
    : pathToFileURL(specifier.startsWith('.') ? fileURLToPath(new URL(specifier, from)) : require.resolve(specifier))
        .href
  const known = modules.get(id)
  if (known !== undefined) return known
  let module
  if (isBuiltin(specifier) || !specifier.startsWith('.')) {
    const namespace = await import(specifier)
    module = new vm.SyntheticModule(
      Object.keys(namespace),
      function () {
        for (const name of Object.keys(namespace)) this.setExport(name, namespace[name])
      },
      { context, identifier: id },
    )
  } else {
    module = new vm.SourceTextModule(readFileSync(new URL(id), 'utf8'), {
      context,
      identifier: id,
      initializeImportMeta: meta => {
        meta.url = id
      },
      importModuleDynamically: async name => {
        const imported = await load(name, id)
        if (imported.status === 'unlinked') await imported.link((next, parent) => load(next, parent.identifier))
        await imported.evaluate()
        return imported
      },
    })
  }
  modules.set(id, module)
  return module
}

const directory = process.argv[2]
context.directory = directory
const here = new URL('../../dist/', import.meta.url).href
const main = new vm.SourceTextModule(
  `
  import { open, XenonError } from './index.js'
  const codeOf = action => { try { action() } catch (error) { return error instanceof XenonError ? error.code : String(error.stack) } }
  const db = open(directory + '/db')
  db.put('k', 'v')
  const binary = open(directory + '/binary', { valueEncoding: 'binary', compression: 'deflate' })
  binary.put('b', new Uint8Array([1, 2, 3]))
  binary.put('large', new Uint8Array(3000))
  const report = {
    realm: Buffer.alloc(1) instanceof Uint8Array,
    value: db.get('k'),
    binary: [...binary.get('b')],
    deflated: binary.get('large').length,
    locked: codeOf(() => open(directory + '/db')),
    missing: codeOf(() => open(directory + '/none', { createIfMissing: false })),
    unwritable: codeOf(() => open('/proc/xenondb/db')),
    ok: (await db.verify()).ok && (await binary.verify()).ok,
  }
  db.close()
  binary.close()
  console.log(JSON.stringify(report))
`,
  { context, identifier: `${here}main.js` },
)
await main.link((specifier, parent) => load(specifier, parent.identifier))
await main.evaluate()
