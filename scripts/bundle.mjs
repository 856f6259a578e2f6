// Writes the JavaScript of the package: one file for each entry of package.json, and in dist/shared what several of
// them have in common. Loading 120 modules took three times as long as loading these few. tsc writes the types.
import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { rolldown } from 'rolldown'

const { exports, bin, dependencies, peerDependencies } = JSON.parse(readFileSync('package.json', 'utf8'))
const files = [...Object.values(exports), ...Object.values(bin)].map(entry => entry.default ?? entry)
const entries = files.filter(file => file.endsWith('.js')).map(file => file.replace('./dist/', '').replace('.js', ''))
const packages = Object.keys({ ...dependencies, ...peerDependencies })

const bundle = await rolldown({
  input: Object.fromEntries(entries.map(entry => [entry, `src/${entry}.ts`])),
  platform: 'node',
  tsconfig: 'tsconfig.build.json',
  external: id => packages.some(name => id === name || id.startsWith(`${name}/`)),
})
const { output } = await bundle.write({
  dir: 'dist',
  format: 'esm',
  sourcemap: true,
  comments: { jsdoc: false },
  entryFileNames: '[name].js',
  chunkFileNames: 'shared/[name].js',
})
await bundle.close()

const written = new Set(output.map(({ fileName }) => join('dist', fileName)))
for (const name of readdirSync('dist', { recursive: true })) {
  const file = join('dist', name)
  if (/\.js(\.map)?$/.test(name) && !written.has(file)) rmSync(file)
}
