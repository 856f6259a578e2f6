/** For files below a package.json of their own (bench/peers), from where `xenondb` would not name this package. */
export { open } from 'xenondb'
