// Writes the JavaScript of the package: one file for each entry of package.json, and in dist/chunks what several of
// them have in common. Loading 120 modules took three times as long as loading these few. tsc writes the types.
// The same as CommonJS lies in dist/cjs, for whoever has no other: Jest, whose `require` knows no ES modules. Node takes
// the ES modules by `require` too ("module-sync" in package.json), so that a program never has both.
import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { rolldown } from 'rolldown'

const { exports, bin, dependencies, peerDependencies } = JSON.parse(readFileSync('package.json', 'utf8'))
const entriesOf = targets =>
  targets
    .map(target => target.default ?? target)
    .filter(file => file.endsWith('.js'))
    .map(file => file.replace('./dist/', '').replace('.js', ''))
const packages = Object.keys({ ...dependencies, ...peerDependencies })

const written = new Set()
const write = async (entries, output) => {
  const bundle = await rolldown({
    input: Object.fromEntries(entries.map(entry => [entry, `src/${entry}.ts`])),
    platform: 'node',
    tsconfig: 'tsconfig.build.json',
    external: id => packages.some(name => id === name || id.startsWith(`${name}/`)),
  })
  const { output: files } = await bundle.write({ comments: { jsdoc: false }, ...output })
  await bundle.close()
  for (const { fileName } of files) written.add(join(output.dir, fileName))
}

await write(entriesOf([...Object.values(exports), ...Object.values(bin)]), {
  dir: 'dist',
  format: 'esm',
  sourcemap: true,
  entryFileNames: '[name].js',
  chunkFileNames: 'chunks/[name].js',
})
await write(entriesOf(Object.values(exports)), {
  dir: join('dist', 'cjs'),
  format: 'cjs',
  entryFileNames: '[name].cjs',
  chunkFileNames: 'chunks/[name].cjs',
})

for (const name of readdirSync('dist', { recursive: true })) {
  const file = join('dist', name)
  if (/\.c?js(\.map)?$/.test(name) && !written.has(file)) rmSync(file)
}
