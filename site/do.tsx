/** What one can do to the database of the site, beside every view: change records, load a data set, damage a block. */
import type { JSX } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { useModel } from '../explorer/page/model.ts'
import type { Place } from './playground.ts'

const PLACE = 'xenondb.place'

/** The database that was chosen last in this browser. */
export const keptPlace = (): Place => {
  try {
    return localStorage.getItem(PLACE) === 'opfs' ? 'opfs' : 'memory'
  } catch {
    return 'memory'
  }
}

/** Where the database lies. */
const StorageChoice = ({ isBusy, onSaid }: { isBusy: boolean; onSaid: (text: string) => void }): JSX.Element => {
  const { transport } = useModel()
  const [place, setPlace] = useState<Place>('memory')
  useEffect(() => {
    const wanted = keptPlace()
    if (wanted === 'opfs') choose(wanted)
  }, [])
  const choose = async (to: Place): Promise<void> => {
    try {
      await transport.call('place', { to })
      setPlace(to)
      localStorage.setItem(PLACE, to)
      onSaid(
        to === 'opfs'
          ? 'this database lies in the files of this browser (OPFS): it is there again after a reload'
          : 'this database lies in memory, on a simulated disk: it is gone after a reload',
      )
    } catch (error) {
      setPlace('memory')
      onSaid(`${(error as Error).message}. The database lies in memory, and is gone after a reload`)
    }
  }
  return (
    <label>
      Storage{' '}
      <select value={place} disabled={isBusy} onChange={event => choose(event.currentTarget.value as Place)}>
        <option value="memory">memory</option>
        <option value="opfs">this browser (OPFS)</option>
      </select>
    </label>
  )
}

export const Do = (): JSX.Element => {
  const { transport } = useModel()
  const [key, setKey] = useState('cat')
  const [value, setValue] = useState('a small feline')
  const [block, setBlock] = useState('')
  const [said, setSaid] = useState('')
  const [isBusy, setBusy] = useState(false)
  const run = async (what: string, call: () => Promise<string>): Promise<void> => {
    setBusy(true)
    setSaid(`${what} …`)
    try {
      setSaid(await call())
    } catch (error) {
      setSaid((error as Error).message)
    }
    setBusy(false)
  }
  const put = async (): Promise<string> => {
    await transport.call('put', { key, value })
    return `put ${key}: it is durable now, since its log group is synced`
  }
  const get = async (): Promise<string> => {
    const answer = await transport.call<{ found: boolean; text?: string }>('value', { key })
    return answer.found ? `${key} is ${answer.text}` : `there is no ${key}`
  }
  const remove = async (): Promise<string> => {
    const { deleted } = await transport.call<{ deleted: boolean }>('delete', { key })
    return deleted ? `deleted ${key}: its slot is free now` : `there is no ${key}`
  }
  const load = async (): Promise<string> => {
    const { records } = await transport.call<{ records: number }>('load')
    return `put ${records.toLocaleString('en-US')} cities in one transaction`
  }
  const fill = async (): Promise<string> => {
    const before = Number(value) > 0 ? Number(value) : 0
    for (let i = before; i < before + 100; i++) await transport.call('put', { key: `key/${i}`, value: `value ${i}` })
    return 'put 100 records, one transaction each'
  }
  const readAll = async (): Promise<string> => {
    const { records, misses, accesses } = await transport.call<{ records: number; misses: number; accesses: number }>(
      'getAll',
    )
    return `read ${records.toLocaleString('en-US')} records: ${accesses.toLocaleString('en-US')} looks at blocks, ${misses.toLocaleString('en-US')} of them read from the file`
  }
  const flip = async (): Promise<string> => {
    await transport.call('flip', { block: Number(block) })
    return `a bit of block ${block} is another one now; look at the block, or verify`
  }
  const verify = async (): Promise<string> => {
    const { ok, problems, records } = await transport.call<{ ok: boolean; problems: string[]; records: number }>(
      'verify',
    )
    return ok ? `sound: ${records.toLocaleString('en-US')} records, every block checked` : `found: ${problems[0]}`
  }
  const checkpoint = async (): Promise<string> => {
    await transport.call('checkpoint')
    return 'all changed blocks are in the file, and the log is not needed any more'
  }
  const anew = async (): Promise<string> => {
    await transport.call('anew')
    return 'an empty database'
  }
  const actions: [string, () => Promise<string>][] = [
    ['put', put],
    ['get', get],
    ['delete', remove],
    ['put 100', fill],
    ['load cities', load],
    ['read all', readAll],
    ['checkpoint', checkpoint],
    [
      'reopen',
      async () => {
        await transport.call('reopen')
        return 'closed and opened again: nothing is in memory now'
      },
    ],
    ['verify', verify],
    ['begin anew', anew],
  ]
  return (
    <section class="do" aria-label="Do something">
      <StorageChoice isBusy={isBusy} onSaid={setSaid} />
      <input aria-label="Key" value={key} onInput={event => setKey(event.currentTarget.value)} />
      <input aria-label="Value" value={value} onInput={event => setValue(event.currentTarget.value)} />
      {actions.map(([name, call]) => (
        <button key={name} type="button" disabled={isBusy} onClick={() => run(name, call)}>
          {name}
        </button>
      ))}
      <input
        class="short"
        aria-label="Block to damage"
        placeholder="block"
        value={block}
        onInput={event => setBlock(event.currentTarget.value)}
      />
      <button type="button" disabled={isBusy || block === ''} onClick={() => run('damage', flip)}>
        damage it
      </button>
      <output>{said}</output>
    </section>
  )
}
