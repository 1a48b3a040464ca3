import { definePlugin, imapExtensions, noSettings, Pace, sealCommand } from 'mailwright/api'
import type { Threading } from 'mailwright/api'
import { afterLogin } from '../shared/capability.js'
import { displayKeys } from './display-keys.js'
import { orderedSubject } from './ordered-subject.js'
import { references } from './references.js'
import { sort } from './sort.js'
import { sortKeys } from './sort-keys.js'
import { thread } from './thread.js'
import { gather } from './threaded-messages.js'

/** Tables of many ids grow by milliseconds at a time. */
const SLICE_MS = 4

const threadings: readonly Threading[] = [
  { name: 'ORDEREDSUBJECT', lasting: true, run: async (within, view, signal) => orderedSubject(await gather(within, view, signal), new Pace(signal, SLICE_MS)) },
  { name: 'REFERENCES', lasting: true, run: async (within, view, signal) => references(await gather(within, view, signal), new Pace(signal, SLICE_MS)) },
]

/** Messages in the order, or in the threads, that a client shows them in, so that it need not fetch them all. */
export default definePlugin({
  id: 'imap-sort-thread',
  api: '1.0',
  summary: 'SORT, THREAD: messages in order and in threads (RFC 5256, RFC 5957)',
  setup(p) {
    const point = p.to(imapExtensions)
    point.contribute({ name: 'sort', settings: noSettings, about: afterLogin(['SORT']), create: () => ({ commands: [sealCommand(sort)], sortKeys }) })
    point.contribute({ name: 'sort-display', settings: noSettings, about: afterLogin(['SORT=DISPLAY'], [{ extension: 'sort' }]), create: () => ({ sortKeys: displayKeys }) })
    point.contribute({
      name: 'thread',
      settings: noSettings,
      about: afterLogin(['THREAD=ORDEREDSUBJECT', 'THREAD=REFERENCES']),
      create: () => ({ commands: [sealCommand(thread)], threadings }),
    })
  },
})
