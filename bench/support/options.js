import { quickResultsDirectory, resultsDirectory } from './paths.js';
export class UsageError extends Error {
}
export function positiveInteger(name, given, preset) {
    if (given === undefined)
        return preset;
    const number = Number(given);
    if (!Number.isSafeInteger(number) || number < 1) {
        throw new UsageError(`--${name} takes a whole number above 0, not '${given}'`);
    }
    return number;
}
export function positiveIntegers(name, given, preset) {
    if (given === undefined)
        return [...preset];
    return words(given).map(word => positiveInteger(name, word, 1));
}
export function selection(name, given, known, usual = known) {
    if (given === undefined)
        return [...usual];
    const wanted = words(given);
    const stranger = wanted.find(word => !known.includes(word));
    if (stranger !== undefined) {
        throw new UsageError(`--${name}: '${stranger}' is not one of ${known.join(', ')}`);
    }
    return known.filter(word => wanted.includes(word));
}
export function outputDirectory(options) {
    if (options.out !== undefined)
        return String(options.out);
    return options.quick ? quickResultsDirectory : resultsDirectory;
}
function words(given) {
    return String(given)
        .split(',')
        .map(word => word.trim())
        .filter(word => word !== '');
}
//# sourceMappingURL=options.js.map