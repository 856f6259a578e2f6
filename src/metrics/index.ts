/** xenondb/metrics: the figures of a database for Prometheus. */
import { figuresOf, type Measured } from './figures.ts'
import { exposition } from './text.ts'

export type { Measured } from './figures.ts'
export { metricsContentType } from './text.ts'

/** What the names and labels of the figures are. */
export interface MetricsOptions {
  /** What the names begin with. Default `'xenondb'`. */
  prefix?: string | undefined
  /** Labels of every figure, such as the name of the database. */
  labels?: Readonly<Record<string, string>> | undefined
}

/**
 * The figures of `db.stats()` and `db.health()` in the text format of Prometheus, 0.0.4. Of a handle that has failed or
 * was closed: those of `health()`, with `xenondb_up 0`.
 * @throws InvalidArgumentError for a prefix or a label that Prometheus does not take.
 * @example response.writeHead(200, { 'content-type': metricsContentType }).end(metricsText(db))
 */
export const metricsText = (db: Measured, { prefix = 'xenondb', labels = {} }: MetricsOptions = {}): string =>
  exposition(figuresOf(db), prefix, labels)
