import { describe, expect, test } from 'vitest'
import { storageIn } from '../../src/browser/opfs.ts'
import { CorruptionError, DatabaseLockedError, StorageError } from '../../src/errors.ts'
import { memoryStorage } from '../../src/storage/memory.ts'
import { nodeStorage } from '../../src/storage/node.ts'
import { overlayStorage } from '../../src/storage/overlay.ts'
import type { File, Storage } from '../../src/storage/storage.ts'
import { MemoryHandles } from '../support/handles.ts'
import { bytes, freshDirectory, text, thrown } from './places.ts'

const nodeDirectory = freshDirectory()
const memory = memoryStorage()

describe.each<[string, Storage, string]>([
  ['node', nodeStorage, nodeDirectory],
  ['memory', memory, '/top'],
  ['overlay', overlayStorage(memoryStorage()), '/top'],
  ['opfs', await storageIn(new MemoryHandles(), 'top', { handles: 100 }), '/top'],
])('%s storage', (_name, storage, top) => {
  let count = 0
  const directory = (): string => {
    const path = storage.join(top, `d${count++}`)
    storage.makeDirectory(path)
    return path
  }
  const create = (content = ''): File => {
    const file = storage.open(storage.join(directory(), 'f'), { create: true })
    file.write(bytes(content), 0, content.length, 0)
    return file
  }
  const contentOf = (file: File): string => {
    const target = new Uint8Array(file.size())
    expect(file.read(target, 0, target.length, 0)).toBe(target.length)
    return text(target)
  }

  test('what was written is read back, from any offset into any offset', () => {
    const file = create('hello world')
    file.write(bytes('..THERE..'), 2, 5, 6)
    const target = bytes('----------')
    expect(file.read(target, 2, 5, 6)).toBe(5)
    expect(text(target)).toBe('--THERE---')
    expect(contentOf(file)).toBe('hello THERE')
    expect(file.size()).toBe(11)
  })

  test('a read gives fewer bytes only at the end of the file', () => {
    const file = create('abc')
    const target = bytes('......')
    expect(file.read(target, 0, 6, 1)).toBe(2)
    expect(text(target)).toBe('bc....')
    expect(file.read(target, 0, 6, 3)).toBe(0)
    expect(file.read(target, 0, 6, 1000)).toBe(0)
    expect(file.read(target, 0, 0, 0)).toBe(0)
  })

  test('a write behind the end leaves zeros between', () => {
    const file = create('a')
    file.write(bytes('z'), 0, 1, 9000)
    expect(file.size()).toBe(9001)
    const target = new Uint8Array(9001).fill(7)
    file.read(target, 0, 9001, 0)
    expect(target[0]).toBe(97)
    expect(target[9000]).toBe(122)
    expect(target.subarray(1, 9000).every(byte => byte === 0)).toBe(true)
  })

  test('an empty write changes nothing', () => {
    const file = create('a')
    file.write(bytes('x'), 1, 0, 500)
    file.writeMany([], 500)
    file.writeMany([new Uint8Array(0)], 500)
    expect(contentOf(file)).toBe('a')
  })

  test('writeMany puts 3,000 parts one behind the other', () => {
    const file = create('0123456789')
    const parts = Array.from({ length: 3000 }, (_, i) => bytes(`<${i}>`.repeat(i % 3)))
    file.writeMany(parts, 5)
    expect(contentOf(file)).toBe(`01234${parts.map(text).join('')}`)
  })

  test('bytes that were cut off come back as zeros', () => {
    const file = create('abcdef'.repeat(2000))
    file.truncate(3)
    file.truncate(6)
    expect(contentOf(file)).toBe('abc\0\0\0')
    file.truncate(5)
    file.write(bytes('z'), 0, 1, 6)
    expect(contentOf(file)).toBe('abc\0\0\0z')
    file.truncate(0)
    expect(file.size()).toBe(0)
  })

  test('two handles of one file share its bytes', () => {
    const file = create('one')
    const other = storage.open(file.path)
    other.write(bytes('two, and longer'.repeat(1000)), 0, 15000, 0)
    expect(contentOf(file)).toBe(contentOf(other))
    file.truncate(2)
    expect(contentOf(other)).toBe('tw')
  })

  test('to read ahead changes nothing, and tells of no error', async () => {
    const file = create('hello world')
    file.readAhead?.(4, 0)
    file.readAhead?.(4, 9)
    file.readAhead?.(4, 1_000_000)
    expect(contentOf(file)).toBe('hello world')
    file.readAhead?.(4, 4)
    file.close()
    file.readAhead?.(4, 0)
    await new Promise(resolve => setTimeout(resolve, 10))
  })

  test('sync and syncAsync succeed on an open file', async () => {
    const file = create('x')
    file.sync()
    await file.syncAsync()
    storage.syncDirectory(storage.join(file.path, '..'))
  })

  test('a background sync survives the close of its file', async () => {
    const file = create('x')
    const syncs = [file.syncAsync(), file.syncAsync()]
    file.close()
    await Promise.all(syncs)
  })

  test('a closed file throws XENON_CLOSED, closing twice is fine', async () => {
    const file = create('x')
    file.close()
    file.close()
    const buffer = new Uint8Array(1)
    for (const use of [
      () => file.size(),
      () => file.read(buffer, 0, 1, 0),
      () => file.write(buffer, 0, 1, 0),
      () => file.writeMany([buffer], 0),
      () => file.truncate(0),
      () => file.sync(),
    ]) {
      expect(use).toThrow(expect.objectContaining({ code: 'XENON_CLOSED' }))
    }
    await expect(file.syncAsync()).rejects.toMatchObject({ code: 'XENON_CLOSED' })
  })

  test('a file opened for reading refuses writes', () => {
    const path = create('x').path
    const file = storage.open(path, { readOnly: true })
    expect(contentOf(file)).toBe('x')
    expect(() => file.write(bytes('y'), 0, 1, 0)).toThrow(StorageError)
    expect(() => file.truncate(0)).toThrow(StorageError)
    expect(contentOf(file)).toBe('x')
  })

  test('positions and windows out of range are refused, nothing is written', () => {
    const file = create('abc')
    for (const position of [-1, Number.NaN, 0.5, Number.POSITIVE_INFINITY]) {
      expect(() => file.write(bytes('z'), 0, 1, position)).toThrow(StorageError)
      expect(() => file.writeMany([bytes('z')], position)).toThrow(StorageError)
      expect(() => file.read(bytes('z'), 0, 1, position)).toThrow(StorageError)
    }
    expect(() => file.write(bytes('z'), 0, 2, 0)).toThrow(StorageError)
    expect(() => file.write(bytes('z'), 2, 1, 0)).toThrow(StorageError)
    expect(() => file.read(bytes('z'), 0, 2, 0)).toThrow(StorageError)
    expect(contentOf(file)).toBe('abc')
  })

  test('creating a file that exists fails and keeps it', () => {
    const file = create('kept')
    const error = thrown(() => storage.open(file.path, { create: true }))
    expect(error).toBeInstanceOf(StorageError)
    expect(error.message).toBe(`cannot create ${file.path}: EEXIST: file already exists`)
    expect(error.cause).toMatchObject({ code: 'EEXIST' })
    expect(contentOf(file)).toBe('kept')
  })

  test('opening an absent file fails and creates nothing', () => {
    const path = storage.join(directory(), 'absent')
    const error = thrown(() => storage.open(path))
    expect(error).toBeInstanceOf(StorageError)
    expect(error.message).toBe(`cannot open ${path}: ENOENT: no such file or directory`)
    expect(storage.kind(path)).toBe('none')
  })

  test('a directory in place of a file is named as such', () => {
    const path = directory()
    for (const options of [{}, { readOnly: true }]) {
      const error = thrown(() => storage.open(path, options))
      expect(error).toBeInstanceOf(CorruptionError)
      expect(error.message).toBe(`${path}: is a directory, not a regular file`)
    }
    expect(thrown(() => storage.open(path, { create: true }))).toBeInstanceOf(CorruptionError)
  })

  test('kind tells files, directories and nothing apart', () => {
    const file = create()
    expect(storage.kind(file.path)).toBe('file')
    expect(storage.kind(storage.join(file.path, '..'))).toBe('directory')
    expect(storage.kind(storage.join(file.path, 'below-a-file'))).toBe('none')
    expect(storage.kind(storage.join(top, 'absent', 'absent'))).toBe('none')
  })

  test('makeDirectory creates the parents, and an existing directory is fine', () => {
    const path = storage.join(directory(), 'a', 'b', 'c')
    storage.makeDirectory(path)
    storage.makeDirectory(path)
    expect(storage.kind(path)).toBe('directory')
    expect(storage.list(storage.join(path, '..'))).toEqual(['c'])
    const file = create()
    expect(() => storage.makeDirectory(file.path)).toThrow(StorageError)
  })

  test('list gives the names of a directory', () => {
    const path = directory()
    expect(storage.list(path)).toEqual([])
    for (const name of ['b', 'a']) storage.open(storage.join(path, name), { create: true }).close()
    storage.makeDirectory(storage.join(path, 'c'))
    expect(storage.list(path).sort()).toEqual(['a', 'b', 'c'])
    expect(() => storage.list(storage.join(path, 'a'))).toThrow(StorageError)
    expect(() => storage.list(storage.join(path, 'absent'))).toThrow(StorageError)
  })

  test('a removed file lives on in its handles, removing an absent one is fine', () => {
    const file = create('still here')
    storage.remove(file.path)
    storage.remove(file.path)
    expect(storage.kind(file.path)).toBe('none')
    expect(contentOf(file)).toBe('still here')
    expect(() => storage.remove(directory())).toThrow(StorageError)
  })

  test('rename replaces the target', () => {
    const path = directory()
    const [a, b] = [storage.join(path, 'a'), storage.join(path, 'b')]
    for (const name of [a, b]) storage.open(name, { create: true }).write(bytes(name), 0, name.length, 0)
    storage.rename(a, b)
    expect(storage.list(path)).toEqual(['b'])
    expect(contentOf(storage.open(b))).toBe(a)
    const error = thrown(() => storage.rename(a, b))
    expect(error).toBeInstanceOf(StorageError)
    expect(error.cause).toMatchObject({ code: 'ENOENT' })
    expect(contentOf(storage.open(b))).toBe(a)
  })

  test('allocatedBytes covers what was written', () => {
    const file = create('x'.repeat(100_000))
    file.sync()
    expect(storage.allocatedBytes(file.path)).toBeGreaterThanOrEqual(100_000)
    expect(() => storage.allocatedBytes(storage.join(file.path, '..', 'absent'))).toThrow(StorageError)
  })

  test('randomBytes gives as many bytes as asked, never the same twice', () => {
    expect(storage.randomBytes(0).length).toBe(0)
    expect(storage.randomBytes(100_000).length).toBe(100_000)
    expect(storage.randomBytes(16)).not.toEqual(storage.randomBytes(16))
  })

  test('crc32 is the standard one, unsigned, and continues from its seed', () => {
    expect(storage.crc32(bytes('123456789'), 0)).toBe(0xcbf43926)
    expect(storage.crc32(bytes('56789'), storage.crc32(bytes('1234'), 0))).toBe(0xcbf43926)
    expect(storage.crc32(new Uint8Array(0), 0xcbf43926)).toBe(0xcbf43926)
    expect(storage.crc32(new Uint8Array(4).fill(255), 0)).toBe(0xffffffff)
  })

  test('a directory is locked once at a time, also under another spelling of its path', () => {
    const path = directory()
    const lock = storage.lock(path)
    const error = thrown(() => storage.lock(storage.join(path, '..', path.slice(top.length), '.')))
    expect(error).toBeInstanceOf(DatabaseLockedError)
    expect(error).toMatchObject({ code: 'XENON_LOCKED', pid: process.pid })
    expect(error.message).toContain('already open in this process')
    const other = storage.lock(directory())
    lock.release()
    const again = storage.lock(path)
    lock.release()
    expect(() => storage.lock(path)).toThrow(DatabaseLockedError)
    again.release()
    other.release()
    storage.lock(path).release()
  })

  test('an absent directory cannot be locked', () => {
    expect(() => storage.lock(storage.join(top, 'absent'))).toThrow(StorageError)
  })
})

test('two memory storages have nothing in common', () => {
  const [one, other] = [memoryStorage(), memoryStorage()]
  one.makeDirectory('d')
  one.open('d/f', { create: true }).close()
  expect(other.kind('d/f')).toBe('none')
  const lock = one.lock('d')
  other.makeDirectory('d')
  other.lock('d').release()
  lock.release()
})
