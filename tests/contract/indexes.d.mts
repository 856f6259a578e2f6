import type { Database } from '../../src/index.ts'

export const declareIndexes: <V, K>(db: Database<V, K>, where: string) => void
