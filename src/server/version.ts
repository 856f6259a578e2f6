/** The version of the package: a constant, since code in a bundle does not find package.json (tests/package.test.ts compares). */
export const PACKAGE_VERSION = '0.1.0'
