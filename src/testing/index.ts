/** `xenondb/testing`: a disk that fails on demand, and an engine that can be broken on purpose. Not for production. */
export {
  type CrashPolicy,
  crashPolicies,
  type Fault,
  FaultDisk,
  type FaultDiskOptions,
  type FaultEffect,
  type OperationKind,
  operationKinds,
  SimulatedCrash,
} from './fault.ts'
export { type MutantName, mutantNames, withMutant } from './mutants.ts'
export { Random } from './random.ts'
