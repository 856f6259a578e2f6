import { parseArgs } from 'node:util';
import { loadCities } from './support/cities.js';
import { killAndRecover } from './support/crash.js';
import { firstSteps } from './support/first-steps.js';
import { lookInside } from './support/inside.js';
import { finish, title } from './support/lesson.js';
import { choosePlace } from './support/places.js';
import { loadRealData } from './support/real-data.js';
try {
    const { values, positionals } = parseArgs({
        options: { quick: { type: 'boolean', default: false } },
        allowPositionals: true,
    });
    if (positionals.length > 1)
        throw new Error('usage: students.js [directory] [--quick]');
    process.exitCode = await main(choosePlace(positionals[0]), values.quick);
}
catch (error) {
    console.error(error instanceof Error ? `students: ${error.message}` : error);
    process.exitCode = 1;
}
async function main(place, quick) {
    try {
        title(`xenondb: a walk through the store (in ${place.directory})`);
        firstSteps(place.database('students'));
        const cities = loadCities(quick ? 5_000 : undefined);
        loadRealData(place.database('cities'), cities);
        await killAndRecover(place.database('cities'), cities, quick ? 100 : 1_000);
        await lookInside(place.database('cities'), cities);
        const status = finish();
        if (place.kept)
            console.log(`\nTo look further: npx xenondb stats ${place.database('cities')}`);
        return status;
    }
    finally {
        place.leave();
    }
}
//# sourceMappingURL=students.js.map