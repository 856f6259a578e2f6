import { open } from 'xenondb';
import { cityKey } from './cities.js';
import { ask, chapter, check, duration, keepTime, number, say, timed } from './lesson.js';
const BATCH = 1000;
export function loadRealData(directory, cities) {
    chapter(`The cities of the world: ${number(cities.length)} records`);
    say(`Values are JSON, keys look like ${cityKey(cities[0])}. Each batch of ${number(BATCH)} is one transaction,`);
    say("durable when batch() returns (durability: 'power', the default).\n");
    const db = openCities(directory);
    const load = timed(() => {
        for (let from = 0; from < cities.length; from += BATCH) {
            const part = cities.slice(from, from + BATCH);
            db.batch(part.map(city => ({ type: 'put', key: cityKey(city), value: city })));
        }
    });
    const { fsyncs, dataBytes } = db.stats();
    say(`loaded in ${duration(load.ms)}: ${number(fsyncs)} fsyncs, ${number(dataBytes / 1024)} KiB of blocks`);
    keepTime(`load ${number(cities.length)} records, durable`, load.ms, cities.length);
    const closing = timed(() => db.close());
    keepTime('close', closing.ms);
    const opening = timed(() => openCities(directory));
    keepTime('open after a clean close', opening.ms);
    checkEveryRecord(opening.answer, cities);
    lookUp(opening.answer, cities);
    opening.answer.close();
}
export function openCities(directory) {
    return open(directory, { valueEncoding: 'json' });
}
export function checkEveryRecord(db, cities) {
    const gets = timed(() => cities.filter(city => !same(db.get(cityKey(city)), city)).length);
    check(`every one of ${number(cities.length)} records is equal, by get`, gets.answer === 0);
    keepTime('get and compare every record', gets.ms, cities.length);
    const expected = new Map(cities.map(city => [cityKey(city), city]));
    const scan = timed(() => {
        let wrong = 0;
        for (db.reset(); db.next();) {
            const { key, value } = db.readCurrent();
            if (key.startsWith('crash/'))
                continue;
            if (!same(value, expected.get(key)))
                wrong++;
            expected.delete(key);
        }
        return wrong;
    });
    check('the cursor gives every one exactly once', scan.answer === 0 && expected.size === 0);
    keepTime('read all by the cursor and compare', scan.ms, cities.length);
}
function same(a, b) {
    return a !== undefined && b !== undefined && JSON.stringify(a) === JSON.stringify(b);
}
function lookUp(db, cities) {
    say('');
    const largest = [...cities].sort((a, b) => b.population - a.population).slice(0, 5);
    for (const city of largest) {
        ask(`db.get('${cityKey(city)}').population`, () => db.get(cityKey(city))?.population, city.population);
    }
    ask("db.get('XX/Atlantis/0')", () => db.get('XX/Atlantis/0'), undefined);
    say('');
    const keys = Array.from({ length: 100_000 }, (_, i) => cityKey(cities[(i * 7919) % cities.length]));
    const before = db.stats().cache.accesses;
    const random = timed(() => keys.filter(key => db.get(key) === undefined).length);
    const blocks = (db.stats().cache.accesses - before) / keys.length;
    check(`${number(keys.length)} lookups all over the file find their record`, random.answer === 0);
    say(`  ${number((keys.length / random.ms) * 1000)} per second, JSON included; ${blocks.toFixed(2)} blocks per lookup`);
    keepTime(`${number(keys.length)} lookups`, random.ms, keys.length);
}
//# sourceMappingURL=real-data.js.map