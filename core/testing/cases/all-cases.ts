import type { ContractCase } from '../contract-case.js'
import { crashCases } from '../crash/crash-cases.js'
import { appendCases } from './append.js'
import { expungeCases } from './expunge.js'
import { flagCases } from './flags.js'
import { modelCases } from '../model/model-cases.js'
import { nameCases } from './names.js'
import { readCases } from './read.js'
import { recentCases } from './recent.js'
import { restartCases } from './restart.js'
import { togetherCases } from './together.js'
import { uidCases } from './uids.js'

/** The contract of a mail driver, by group. */
export const driverCases: Readonly<Record<string, readonly ContractCase[]>> = {
  names: nameCases,
  delivery: appendCases,
  uids: uidCases,
  flags: flagCases,
  recent: recentCases,
  expunge: expungeCases,
  reading: readCases,
  restarts: restartCases,
  'together with others': togetherCases,
  'crashes and failing disks': crashCases,
  'under sessions': modelCases,
}
