import { statfsSync } from 'node:fs';
import { arch, cpus, platform, release, totalmem } from 'node:os';
import { repositoryRoot } from './paths.js';
const FILE_SYSTEMS = {
    61267: 'ext4',
    1481003842: 'xfs',
    2435016766: 'btrfs',
    2035054128: 'overlay',
    16914836: 'tmpfs (memory: durable figures mean nothing)',
};
export function describeMachine() {
    const processors = cpus();
    return {
        processor: processors[0]?.model.trim() ?? 'unknown',
        cores: processors.length,
        memoryGiB: Math.round(totalmem() / 2 ** 30),
        system: `${platform()} ${release()} ${arch()}`,
        fileSystem: fileSystem(),
        node: process.version,
    };
}
export function machineLine(machine) {
    const { processor, cores, memoryGiB, system, fileSystem, node } = machine;
    return `${processor}, ${cores} cores, ${memoryGiB} GiB, ${system}, ${fileSystem}, Node ${node}`;
}
function fileSystem() {
    const { type } = statfsSync(repositoryRoot);
    return FILE_SYSTEMS[type] ?? `type 0x${type.toString(16)}`;
}
//# sourceMappingURL=machine.js.map