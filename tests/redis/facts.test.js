import { spawnSync } from 'node:child_process';
import { Redis } from 'ioredis';
import { expect, test } from 'vitest';
import { commands } from '../../src/server/commands/index.js';
import { withDirectory } from '../support/directory.js';
import { startRedis } from './servers.js';
const isRedis70 = spawnSync('redis-server', ['--version'], { encoding: 'utf8' }).stdout?.includes('v=7.0.');
const OWN = [...commands.values()]
    .filter(({ since, summary }) => summary.endsWith('(xenondb)') || since.startsWith('7.2.'))
    .map(({ name }) => name);
test.runIf(isRedis70)('all commands but our own are described as by Redis', () => withDirectory(async (directory) => {
    const server = await startRedis(directory);
    const redis = new Redis(server.port);
    try {
        const unknown = [];
        for (const { name, arity, flags, keys, categories, summary, since, group, complexity } of commands.values()) {
            const [info] = (await redis.call('COMMAND', 'INFO', name));
            if (info === null) {
                unknown.push(name);
                continue;
            }
            expect([name, arity, flags.toSorted(), ...keys, categories.toSorted()]).toEqual(info.slice(0, 7).map(each => (Array.isArray(each) ? each.toSorted() : each)));
            const [, documented] = (await redis.call('COMMAND', 'DOCS', name));
            for (const [field, value] of Object.entries({ summary, since, group, complexity }))
                expect(documented[documented.indexOf(field) + 1], `${name} ${field}`).toBe(value);
        }
        expect(unknown).toEqual(OWN);
    }
    finally {
        redis.disconnect();
        await server.stop();
    }
}));
//# sourceMappingURL=facts.test.js.map