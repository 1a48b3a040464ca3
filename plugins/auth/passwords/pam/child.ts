import { answerCalls } from '../../shared/children/called.js'
import { PamChecks } from './checks.js'
import { loadPam } from './native.js'

answerCalls(async () => new PamChecks(await loadPam()).calls)
