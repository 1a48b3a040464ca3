import { answerCalls } from '../../shared/children/called.js'
import { loadKerberos } from './native.js'

answerCalls(async () => ({ check: await loadKerberos() }))
