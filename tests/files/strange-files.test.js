import { execFileSync, spawn } from 'node:child_process';
import { cpSync, existsSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync, } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { open } from '../../src/index.js';
import { withDirectory } from '../support/directory.js';
import { thrownBy } from '../support/errors.js';
import { differences, readImage } from '../support/image.js';
const RECORDS = 300;
const LIMIT = 20_000;
let parent = '';
beforeAll(() => {
    parent = mkdtempSync(join(tmpdir(), 'xenon-test-'));
    const db = open(join(parent, 'db'), { logSegmentBytes: 128 * 1024 });
    for (let i = 0; i < RECORDS; i++)
        db.put(`key ${i}`, `${i} `.repeat(i));
    db.close();
});
afterAll(() => {
    opener?.removeAllListeners('close').kill('SIGKILL');
    rmSync(parent, { recursive: true, force: true });
});
let opener;
async function openElsewhere(directory, options = {}) {
    opener ??= spawn(process.execPath, [fileURLToPath(new URL('opener.mjs', import.meta.url))]);
    const child = opener;
    const line = await new Promise((resolve, reject) => {
        const stop = (why) => {
            child.kill('SIGKILL');
            opener = undefined;
            reject(new Error(why));
        };
        const timer = setTimeout(() => stop('it hung'), LIMIT);
        let text = '';
        let errors = '';
        child.removeAllListeners('close');
        child.stdout.removeAllListeners('data');
        child.stderr.removeAllListeners('data');
        child.once('close', () => stop(`it ended: ${errors}`));
        child.stderr.on('data', data => {
            errors += data;
        });
        child.stdout.on('data', data => {
            text += data;
            if (!text.endsWith('\n'))
                return;
            clearTimeout(timer);
            resolve(text);
        });
        child.stdin.write(`${JSON.stringify({ directory, options })}\n`);
    });
    const answer = JSON.parse(line);
    expect(['opened', 'refused'], line).toContain(answer.event);
    if (answer.event === 'refused')
        expect(answer.code, answer.message).toMatch(/^XENON_/);
    return answer;
}
async function withCopy(change, check) {
    await withDirectory(async (place) => {
        const directory = `${place}/db`;
        cpSync(join(parent, 'db'), directory, { recursive: true });
        change(directory);
        await check(directory);
    });
}
const places = {
    'the data file': directory => `${directory}/data`,
    'a segment of the log': directory => `${directory}/log/${segmentsIn(directory).at(-1)}`,
    'the first segment of the log': directory => `${directory}/log/${segmentsIn(directory)[0]}`,
};
function segmentsIn(directory) {
    return readdirSync(`${directory}/log`)
        .filter(name => name.endsWith('.log'))
        .sort();
}
for (const [place, pathIn] of Object.entries(places)) {
    describe(`in place of ${place}`, () => {
        for (const readOnly of [false, true]) {
            const how = readOnly ? ', read-only' : '';
            test(`a FIFO is refused and does not hang${how}`, () => withCopy(directory => {
                const path = pathIn(directory);
                rmSync(path);
                execFileSync('mkfifo', [path]);
            }, async (directory) => {
                expect(await openElsewhere(directory, { readOnly })).toMatchObject({ event: 'refused' });
                expect(lstatSync(pathIn(directory)).isFIFO()).toBe(true);
            }));
            test(`a directory is refused${how}`, () => withCopy(directory => {
                const path = pathIn(directory);
                rmSync(path);
                mkdirSync(path);
                writeFileSync(`${path}/mine`, 'my file');
            }, async (directory) => {
                expect(await openElsewhere(directory, { readOnly })).toMatchObject({ event: 'refused' });
                expect(readFileSync(`${pathIn(directory)}/mine`, 'utf8')).toBe('my file');
            }));
            test(`a symbolic link is not followed${how}`, () => withCopy(directory => {
                const path = pathIn(directory);
                renameSync(path, `${directory}-elsewhere`);
                symlinkSync(`${directory}-elsewhere`, path);
            }, async (directory) => {
                const target = readFileSync(`${directory}-elsewhere`);
                expect(await openElsewhere(directory, { readOnly })).toMatchObject({ event: 'refused' });
                expect(Buffer.compare(readFileSync(`${directory}-elsewhere`), target)).toBe(0);
                expect(readlinkSync(pathIn(directory))).toBe(`${directory}-elsewhere`);
            }));
            test(`a symbolic link to an endless device, or to nothing, is refused${how}`, () => withCopy(() => { }, async (directory) => {
                const path = pathIn(directory);
                rmSync(path);
                for (const target of ['/dev/zero', '/nowhere/at/all', path]) {
                    symlinkSync(target, path);
                    expect(await openElsewhere(directory, { readOnly }), target).toMatchObject({ event: 'refused' });
                    expect(readlinkSync(path)).toBe(target);
                    rmSync(path);
                }
            }));
        }
    });
}
describe('in place of the log directory', () => {
    const kinds = {
        'a file': path => writeFileSync(path, 'my file'),
        'a FIFO': path => execFileSync('mkfifo', [path]),
        'a symbolic link': path => symlinkSync('/nowhere/at/all', path),
    };
    for (const [name, put] of Object.entries(kinds)) {
        test(`${name} is refused`, () => withCopy(directory => {
            rmSync(`${directory}/log`, { recursive: true });
            put(`${directory}/log`);
        }, async (directory) => {
            expect(await openElsewhere(directory)).toMatchObject({ event: 'refused' });
        }));
    }
});
describe('in place of the lock', () => {
    const kinds = {
        'a directory': path => mkdirSync(path),
        'a FIFO': path => execFileSync('mkfifo', [path]),
        'a symbolic link to a device': path => symlinkSync('/dev/zero', path),
    };
    for (const [name, put] of Object.entries(kinds)) {
        test(`${name} is refused or replaced, and does not hang`, () => withCopy(directory => put(`${directory}/lock`), async (directory) => {
            const answer = await openElsewhere(directory);
            if (answer.event === 'opened')
                expect(answer).toMatchObject({ records: RECORDS, ok: true });
        }));
    }
    for (const [name, text] of Object.entries({
        'an empty file': '',
        garbage: '\0\xff not json',
        'a huge pid': '{"pid": 99999999999999999999}',
        'the lock of a dead process': JSON.stringify({ pid: 4194303, start: 1, boot: 'other', nonce: 'x' }),
    })) {
        test(`${name} is taken over`, () => withCopy(directory => writeFileSync(`${directory}/lock`, text), async (directory) => {
            expect(await openElsewhere(directory)).toMatchObject({
                event: 'opened',
                records: RECORDS,
                ok: true,
            });
            expect(existsSync(`${directory}/lock`)).toBe(false);
        }));
    }
});
describe('a data file that is none', () => {
    const contents = {
        'of 0 bytes': () => Buffer.alloc(0),
        'of 1 byte': data => data.subarray(0, 1),
        'with a short header': data => data.subarray(0, 40),
        'with a header and no more': data => data.subarray(0, 4096),
        'of zeros': data => Buffer.alloc(data.length),
        'of text': data => Buffer.alloc(data.length, 'my diary\n'),
        'of another program': data => Buffer.concat([Buffer.from('SQLite format 3\0'), data.subarray(16)]),
        'with another first byte': data => changed(data, 0),
        'with other bytes up to the 64th': data => Buffer.concat([Buffer.alloc(64, 0xff), data.subarray(64)]),
        'without its second half': data => data.subarray(0, 4096 * Math.floor(data.length / 8192)),
    };
    for (const [name, make] of Object.entries(contents)) {
        for (const withLog of [true, false]) {
            test(`${name} is rejected and left alone, ${withLog ? 'with its log' : 'without a log'}`, () => withCopy(directory => {
                writeFileSync(`${directory}/data`, make(readFileSync(`${directory}/data`)));
                if (!withLog)
                    rmSync(`${directory}/log`, { recursive: true });
            }, async (directory) => {
                const before = readImage(directory);
                for (const options of [{}, { readOnly: true }, { createIfMissing: false }]) {
                    const error = thrownBy(() => open(directory, options).close());
                    if (!withLog && before.get('data').length === 0 && error === undefined)
                        return;
                    expect(error, `${name} was opened`).toMatchObject({
                        code: expect.stringMatching(/^XENON_CORRUPT$/),
                    });
                    expect(differences(before, readImage(directory))).toEqual([]);
                }
            }));
        }
    }
    test('of another block size than its header says is rejected', () => withCopy(directory => {
        const data = readFileSync(`${directory}/data`);
        writeFileSync(`${directory}/data`, data.subarray(0, data.length - 512));
    }, async (directory) => {
        const answer = await openElsewhere(directory);
        if (answer.event === 'opened')
            expect(answer).toMatchObject({ records: RECORDS });
        else
            expect(answer.code).toBe('XENON_CORRUPT');
    }));
});
describe('foreign files', () => {
    test('beside the database and in its log directory are left alone', () => withCopy(directory => {
        for (const name of ['notes.txt', 'log/notes.txt', 'log/.hidden', 'data.bak']) {
            writeFileSync(`${directory}/${name}`, 'mine');
        }
        mkdirSync(`${directory}/log/sub`);
    }, async (directory) => {
        expect(await openElsewhere(directory)).toMatchObject({ event: 'opened', records: RECORDS, ok: true });
        for (const name of ['notes.txt', 'log/notes.txt', 'log/.hidden', 'data.bak']) {
            expect(readFileSync(`${directory}/${name}`, 'utf8')).toBe('mine');
        }
        expect(statSync(`${directory}/log/sub`).isDirectory()).toBe(true);
    }));
    test('in a directory without a database survive an open there', () => withDirectory(async (directory) => {
        writeFileSync(`${directory}/notes.txt`, 'mine');
        await openElsewhere(directory);
        expect(readFileSync(`${directory}/notes.txt`, 'utf8')).toBe('mine');
    }));
});
function changed(data, at) {
    const copy = Buffer.from(data);
    copy[at] ^= 0xff;
    return copy;
}
//# sourceMappingURL=strange-files.test.js.map