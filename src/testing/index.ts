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
} from '../storage/fault.ts'
export { Random } from '../storage/random.ts'
export { type MutantName, mutantNames, withMutant } from './mutants.ts'
