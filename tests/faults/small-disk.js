import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, rmSync, statfsSync, statSync, truncateSync, writeFileSync, writeSync, } from 'node:fs';
import { basename } from 'node:path';
import { afterAll } from 'vitest';
import { withDirectory } from '../support/directory.js';
const BYTES = { tmpfs: 12 << 20, ext4: 16 << 20 };
const CHUNK = new Uint8Array(1 << 20).fill(0xa5);
const mounted = new Set();
afterAll(() => {
    for (const directory of mounted)
        unmount(directory);
});
export function whyNoDisk(kind) {
    const reason = reasonAgainst(kind);
    if (reason !== undefined)
        console.warn(`SKIPPED: tests on a small ${kind}, because ${reason}`);
    return reason;
}
function reasonAgainst(kind) {
    if (process.platform !== 'linux')
        return `this is ${process.platform}, not Linux`;
    if (process.getuid?.() !== 0)
        return 'only root may mount file systems';
    const directory = `/tmp/xenon-probe-${process.pid}-${kind}`;
    try {
        mount(kind, directory);
        return undefined;
    }
    catch (error) {
        return `mounting failed: ${firstLine(error)}`;
    }
    finally {
        unmount(directory);
        rmSync(directory, { recursive: true, force: true });
        rmSync(imageOf(directory), { force: true });
    }
}
export async function withSmallDisk(kind, body, bytes = BYTES[kind]) {
    await withDirectory(async (parent) => {
        const directory = `${parent}/disk`;
        try {
            mount(kind, directory, bytes);
            await body(diskAt(directory));
        }
        finally {
            unmount(directory);
        }
    });
}
function diskAt(directory) {
    const ballast = `${directory}/ballast`;
    return {
        directory,
        get available() {
            const { bavail, bsize } = statfsSync(directory);
            return bavail * bsize;
        },
        leave(bytes) {
            const fd = openSync(ballast, 'a');
            try {
                let step = CHUNK.length;
                while (step > 0) {
                    const left = bytes === 0 ? step : this.available - bytes;
                    if (left <= 0)
                        break;
                    if (!tryWrite(fd, Math.min(left, step)))
                        step >>= 1;
                }
            }
            finally {
                closeSync(fd);
            }
        },
        shrink(bytes) {
            truncateSync(ballast, statSync(ballast).size - bytes);
        },
        free() {
            rmSync(ballast, { force: true });
        },
        remount(mode) {
            run('mount', '-o', `remount,${mode}`, directory);
        },
        breakDown() {
            const device = basename(deviceOf(directory));
            if (!/^loop\d+$/.test(device))
                throw new Error(`${device} is no loop device`);
            writeFileSync(`/sys/fs/ext4/${device}/trigger_fs_error`, '1');
        },
        repair() {
            unmount(directory);
            const { status, stdout } = spawnSync('fsck.ext4', ['-fy', imageOf(directory)], { encoding: 'utf8' });
            if (status === null || status > 1)
                throw new Error(`fsck.ext4 ended with ${status}: ${stdout}`);
            run('mount', '-o', 'loop', imageOf(directory), directory);
            mounted.add(directory);
        },
    };
}
function tryWrite(fd, length) {
    try {
        writeSync(fd, CHUNK, 0, length);
        fsyncSync(fd);
        return true;
    }
    catch {
        return false;
    }
}
function mount(kind, directory, bytes = BYTES[kind]) {
    mkdirSync(directory);
    if (kind === 'tmpfs') {
        run('mount', '-t', 'tmpfs', '-o', `size=${bytes},mode=0755`, 'tmpfs', directory);
    }
    else {
        const image = imageOf(directory);
        writeFileSync(image, '');
        truncateSync(image, bytes);
        run('mkfs.ext4', '-q', '-F', '-m', '0', '-e', 'remount-ro', image);
        run('mount', '-o', 'loop', image, directory);
    }
    mounted.add(directory);
}
function unmount(directory) {
    if (!mounted.delete(directory))
        return;
    try {
        run('umount', directory);
    }
    catch {
        run('umount', '--lazy', directory);
    }
}
function imageOf(directory) {
    return `${directory}.ext4`;
}
function deviceOf(directory) {
    const line = readFileSync('/proc/mounts', 'utf8')
        .split('\n')
        .find(entry => entry.split(' ')[1] === directory);
    return line?.split(' ')[0] ?? '';
}
function run(command, ...parameters) {
    execFileSync(command, parameters, { stdio: ['ignore', 'ignore', 'pipe'] });
}
function firstLine(error) {
    const { code, stderr, message } = error;
    if (code === 'ENOENT')
        return `${message.split(' ')[1]} is not installed`;
    return (stderr?.toString().trim() || message).split('\n')[0] ?? '';
}
//# sourceMappingURL=small-disk.js.map