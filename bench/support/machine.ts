/** What the figures were measured on. */
import { statfsSync } from 'node:fs'
import { arch, cpus, platform, release, totalmem } from 'node:os'
import { repositoryRoot } from './paths.ts'

export interface Machine {
  processor: string
  cores: number
  memoryGiB: number
  system: string
  fileSystem: string
  node: string
}

/** Magic numbers of Linux (statfs(2)). */
const FILE_SYSTEMS: Record<number, string> = {
  61267: 'ext4',
  1481003842: 'xfs',
  2435016766: 'btrfs',
  2035054128: 'overlay',
  16914836: 'tmpfs (memory: durable figures mean nothing)',
}

export function describeMachine(): Machine {
  const processors = cpus()
  return {
    processor: processors[0]?.model.trim() ?? 'unknown',
    cores: processors.length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: `${platform()} ${release()} ${arch()}`,
    fileSystem: fileSystem(),
    node: process.version,
  }
}

export function machineLine(machine: Machine): string {
  const { processor, cores, memoryGiB, system, fileSystem, node } = machine
  return `${processor}, ${cores} cores, ${memoryGiB} GiB, ${system}, ${fileSystem}, Node ${node}`
}

function fileSystem(): string {
  const { type } = statfsSync(repositoryRoot)
  return FILE_SYSTEMS[type] ?? `type 0x${type.toString(16)}`
}
