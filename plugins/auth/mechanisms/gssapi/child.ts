import { answerCalls } from '../../shared/children/called.js'
import { GssExchange } from './exchange.js'
import { loadGss } from './native.js'

answerCalls(async () => new GssExchange(await loadGss()).calls)
