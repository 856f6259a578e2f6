// Writes the JavaScript of the package: one file for each entry of package.json, and in dist/chunks what several of
// them have in common. tsc writes the types, of which those stay that an entry leads to.
// Each file that is loaded costs about 0.7 ms, and more if it belongs to another package. So what `import 'xenondb'`
// loads lies in four chunks (PARTS), and the two packages that the engine needs (INLINED) lie in them too.
// The same as CommonJS lies in dist/cjs, for whoever has no other: Jest, whose `require` knows no ES modules. Node takes
// the ES modules by `require` too ("module-sync" in package.json), so that a program never has both.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { rolldown } from 'rolldown'

const { exports, bin, dependencies, peerDependencies } = JSON.parse(readFileSync('package.json', 'utf8'))
const entriesOf = targets =>
  targets
    .map(target => target.default?.default ?? target)
    .filter(file => file.endsWith('.js'))
    .map(file => file.replace('./dist/', '').replace('.js', ''))
const packages = Object.keys({ ...dependencies, ...peerDependencies })
/** Packages of devDependencies whose code is part of the chunks. */
const INLINED = ['crc-32', 'lru-cache']

/** Modules by their paths, with the paths of what they import (not what `import()` loads later). */
const imports = new Map()
const graph = {
  name: 'graph',
  buildEnd() {
    for (const id of this.getModuleIds()) imports.set(id, this.getModuleInfo(id).importedIds)
  },
}
/** CommonJS, which would need helpers of the bundler in a file of their own. */
const crc32 = {
  name: 'crc-32',
  transform: (code, id) =>
    id.endsWith('/crc-32/crc32.js')
      ? { code: `const exports = {};${code}\nexport default exports\n`, map: null }
      : undefined,
}
const reached = new Map()
/** All modules that the entries load. */
const reach = entries => {
  const name = entries.join()
  if (!reached.has(name)) {
    const seen = new Set()
    const visit = id => {
      if (seen.has(id) || !imports.has(id)) return
      seen.add(id)
      for (const other of imports.get(id)) visit(other)
    }
    for (const entry of entries) visit(resolve(`src/${entry}.ts`))
    reached.set(name, seen)
  }
  return reached.get(name)
}
/**
 * What `import 'xenondb'` loads, in four parts, each of which needs those before it alone: what everything needs, what
 * clients need that load no engine, what the worker of a browser needs too, and the rest.
 */
const PARTS = [
  ['errors', id => id === resolve('src/errors.ts')],
  ['values', id => reach(['client/index', 'worker/index', 'browser/page']).has(id)],
  ['engine', id => reach(['browser/worker']).has(id)],
  ['database', () => true],
]

const written = new Set()
const write = async (entries, output) => {
  const bundle = await rolldown({
    input: Object.fromEntries(entries.map(entry => [entry, `src/${entry}.ts`])),
    platform: 'node',
    tsconfig: 'tsconfig.build.json',
    external: id => packages.some(name => id === name || id.startsWith(`${name}/`)),
    plugins: [crc32, graph],
  })
  const { output: files } = await bundle.write({
    comments: { jsdoc: false },
    codeSplitting: {
      groups: PARTS.map(([name, has], at) => ({
        name,
        test: id => reach(['index']).has(id) && has(id),
        priority: PARTS.length - at,
      })),
    },
    ...output,
  })
  await bundle.close()
  for (const { fileName } of files) written.add(join(output.dir, fileName))
}

// A page is to load nothing of the engine that its worker has. Its chunk names the script of the worker, and lies beside it.
const apart = ['browser/page']
const isOfPage = ({ moduleIds }) => moduleIds.some(id => id.endsWith('/src/browser/page.ts'))

await write([...entriesOf([...Object.values(exports), ...Object.values(bin)]), ...apart], {
  dir: 'dist',
  format: 'esm',
  // For profiles of this checkout: the package has no maps, and its scripts do not name them.
  sourcemap: 'hidden',
  entryFileNames: '[name].js',
  chunkFileNames: chunk => (isOfPage(chunk) ? 'browser/client.js' : 'chunks/[name].js'),
})
await write(entriesOf(Object.values(exports)), {
  dir: join('dist', 'cjs'),
  // Tools take these where they cannot load the others, and nobody reads them: an install has to stay below 8 MB.
  minify: { compress: false, mangle: false, codegen: { removeWhitespace: true } },
  format: 'cjs',
  entryFileNames: '[name].cjs',
  chunkFileNames: 'chunks/[name].cjs',
})

const licenseOf = name => {
  const { version, license } = JSON.parse(readFileSync(`node_modules/${name}/package.json`, 'utf8'))
  const file = readdirSync(`node_modules/${name}`).find(entry => /^licen[cs]e/i.test(entry))
  return `${name} ${version}, ${license}\n\n${readFileSync(`node_modules/${name}/${file}`, 'utf8').trim()}\n`
}
writeFileSync(
  join('dist', 'licenses.txt'),
  `The files in chunks and cjs/chunks hold code of these packages:\n\n${INLINED.map(licenseOf).join('\n\n')}`,
)

/** Where one module of types names another: all up to its extension, that, and the quote behind it. */
const RELATIVE = /((?:from |import\()['"]\.{1,2}\/[^'"]+)\.([jt]s)(['"])/g

/** The types of the entries, and all that these import: tsc has written those of every module. */
const types = new Set()
const follow = file => {
  if (types.has(file)) return
  types.add(file)
  for (const [, path] of readFileSync(file, 'utf8').matchAll(RELATIVE))
    follow(join(dirname(file), `${path.replace(/^.*['"]/, '')}.d.ts`))
}
for (const entry of entriesOf(Object.values(exports))) follow(join('dist', `${entry}.d.ts`))
// The same again for TypeScript's CommonJS, which may not load the types of an ES module.
for (const file of types) {
  const target = join('dist', 'cjs', relative('dist', file)).replace(/\.d\.ts$/, '.d.cts')
  mkdirSync(dirname(target), { recursive: true })
  writeFileSync(target, readFileSync(file, 'utf8').replace(RELATIVE, '$1.c$2$3'))
  written.add(target)
}

for (const name of readdirSync('dist', { recursive: true })) {
  const file = join('dist', name)
  if (/\.(c?js|d\.cts)(\.map)?$/.test(name) && !written.has(file)) rmSync(file)
  if (/\.d\.ts(\.map)?$/.test(name) && !types.has(file)) rmSync(file)
}
