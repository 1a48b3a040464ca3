import { unless, unlessAny, type ContractCase } from '../contract-case.js'
import { isLongRun, SeededRandom } from '../random.js'
import { Storage } from '../storage.js'
import { RandomPlay } from './random-play.js'

const PLAYS = isLongRun ? 200 : 12
const STEPS = 60

/** The driver below the rest of the server. */
export const modelCases: readonly ContractCase[] = [
  {
    id: 'model.sessions',
    title: 'two sessions that do anything see what a model foretells, over restarts and crashes',
    unless: unlessAny(unless.uids),
    async run(bench, random) {
      for (let play = 0; play < PLAYS; play++) {
        const seed = random.below(0x7fffffff)
        await new RandomPlay(bench.under, await Storage.create(seed), new SeededRandom(seed)).run(STEPS)
      }
    },
  },
]
