import keyvTestSuite, { keyvIteratorTests } from '@keyv/test-suite';
import Keyv from 'keyv';
import * as vitest from 'vitest';
import { KeyvXenon } from '../../../src/adapters/keyv/index.js';
import { memoryStorage, open } from '../../../src/index.js';
const database = open('keyv', { storage: memoryStorage(), cacheBytes: 1048576 });
const store = () => new KeyvXenon(database);
keyvTestSuite(vitest, Keyv, store);
keyvIteratorTests(vitest, Keyv, store);
vitest.afterAll(async () => {
    const report = await database.verify();
    vitest.expect(report.problems).toEqual([]);
    database.close();
});
//# sourceMappingURL=suite.test.js.map