/** Work over time: what is done a second, how long the disk takes, and how the files grow. */
import type { JSX } from 'preact'
import { Chart } from './chart.tsx'
import { useModel, useNow } from './model.ts'
import { count, Figures, Problem, size } from './text.tsx'

export const WorkPage = (): JSX.Element => {
  const { history } = useModel()
  const now = useNow()
  const stats = now?.stats
  if (stats === undefined)
    return <p>These are the files of a database that another process has open: what that does is not known here.</p>
  return (
    <article class="work-page">
      <h2>Work over time</h2>
      {now?.warnings?.map(({ code, message }) => (
        <Problem key={code}>{message}</Problem>
      ))}
      <Figures
        of={[
          ['records', count(stats.records)],
          ['commits', count(stats.transactions.commits)],
          ['syncs', count(stats.fsyncs)],
          ['data file', size(stats.dataBytes)],
          ['log', `${size(stats.logBytesInUse)} needed, ${size(stats.logBytes)} on the disk`],
          ['checkpoints', count(stats.checkpoints)],
          ['splits of buckets', count(stats.index.splits)],
          ['slots used again', count(stats.index.slotsReused)],
          ['blocks used again', count(stats.index.blocksReused)],
        ]}
      />
      <div class="charts">
        <Chart
          title="Commits and syncs per second"
          history={history}
          lines={[
            { name: 'commits', of: state => state.stats?.transactions.commits, isRate: true },
            { name: 'syncs', of: state => state.stats?.fsyncs, isRate: true },
          ]}
        />
        <Chart
          title="How long a sync of the log takes"
          unit=" ms"
          history={history}
          lines={[
            { name: 'one in two', of: state => state.stats?.fsync.p50 },
            { name: 'one in a hundred', of: state => state.stats?.fsync.p99 },
          ]}
        />
        <Chart
          title="Blocks read and written per second"
          history={history}
          lines={[
            { name: 'read', of: state => state.stats?.cache.blockReads, isRate: true },
            { name: 'written', of: state => state.stats?.cache.blockWrites, isRate: true },
          ]}
        />
        <Chart
          title="Sizes"
          unit=" MiB"
          history={history}
          lines={[
            { name: 'data file', of: state => (state.stats?.dataBytes ?? 0) / 1048576 },
            { name: 'log that a recovery needs', of: state => (state.stats?.logBytesInUse ?? 0) / 1048576 },
          ]}
        />
      </div>
    </article>
  )
}
